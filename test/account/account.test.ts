import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { minutes } from '#core/clock'
import { createAuthenticator } from '../support/authenticator.ts'
import { BASE, startSlapd } from '../support/slapd.ts'
import { totpCode } from '../support/totp.ts'
import { ISSUER, openHouse, PASSWORD, password, totp } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
let count = 0
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const someone = (more = {}) => house.person(`person${++count}`, more)
/** As people type it: without the blanks between groups. */
const secretIn = (body: string) => (/class="secret"[^>]*>(.*?)<\/p>/s.exec(body)?.[1] ?? '').replace(/<[^>]*>|\s/g, '')

/** A person with a TOTP authenticator, as the factors room has it. */
async function withTotp() {
  const person = await someone()
  const about = { personId: person.id, username: person.username, name: person.name, conversation: 'elsewhere' }
  const { secret } = (await house.factors.beginEnrolment('totp', about)) as { secret: string }
  const { id } = await house.factors.finishEnrolment('totp', totpCode(secret, house.time.now), about)
  // the step of the enrolment is spent
  house.time.now += minutes(1)
  return { person, secret, id }
}

describe('the gate', () => {
  test('a stranger is sent to sign in from every address, and comes back to it', async () => {
    for (const { method, path } of house.account.routes) {
      // for a page that is left open: it answers strangers, and tells them nothing (`test/flow/ciba.test.ts`)
      if (path === '/confirmations' || path === '/signout' || path.startsWith('/device')) continue
      const address = path.replace(/:\w+/, 'x')
      const browser = house.browser()
      const sent = method === 'GET' ? await browser.get(address) : await browser.post(address)
      expect([sent.status, sent.location], path).toEqual([303, expect.stringMatching(/^\/signin\//)])
    }
    const person = await someone()
    const browser = house.browser()
    const asked = await browser.follow('/account')
    await browser.post(asked.path, { step: 'identifier', username: person.username })
    const back = await browser.post(asked.path, { step: 'password', password: PASSWORD })
    expect(back.location).toBe('/account')
    expect((await browser.get('/account')).body).toContain(person.username)
  })

  test('a person who was switched off sees nothing with a session that still lives', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    await house.people.disable(person.id, 'cli')
    expect((await browser.get('/account')).location).toMatch(/^\/signin\//)
  })

  test('ten minutes after signing in, looking is free and a change asks again and comes back to its form', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    expect((await browser.get('/account/passkeys/new')).status).toBe(200)
    house.time.now += minutes(11)
    expect((await browser.get('/')).status).toBe(200)
    expect((await browser.get('/account')).status).toBe(200)
    expect((await browser.post('/account/recovery-codes/new')).status).toBe(303)
    expect(await house.factors.enrolled(person.id)).toHaveLength(1)
    const asked = await browser.follow('/account/totp/new')
    expect(asked.path).toMatch(/^\/signin\//)
    const back = await browser.post(asked.path, { step: 'password', password: PASSWORD })
    expect(back.location).toMatch(/^\/account\/totp\/new\?errand=/)
    expect((await browser.get(back.location)).status).toBe(200)
  })

  test('whoever has a second factor must give it before anything is changed', async () => {
    const { person, secret, id } = await withTotp()
    const browser = await house.signedIn(person.id)
    const tried = [
      await browser.get('/account/passkeys/new'),
      await browser.get('/account/password'),
      await browser.post('/account/recovery-codes/new'),
      await browser.post(`/account/factors/${id}/remove`),
      await browser.post('/account/sessions/end-others'),
    ]
    for (const sent of tried) expect(sent.location).toMatch(/^\/signin\//)
    expect((await house.factors.enrolled(person.id)).map((one) => one.kind)).toEqual(['password', 'totp'])

    const asked = await browser.follow('/account/passkeys/new')
    const back = await browser.post(asked.path, { step: 'totp', code: totpCode(secret, house.time.now) })
    expect((await browser.get(back.location)).status).toBe(200)
  })

  test('a set of recovery codes that is used up is no second factor, and never locks its owner out', async () => {
    const person = await someone()
    const made = await house.factors.finishEnrolment('recovery-code', undefined, {
      personId: person.id,
      conversation: 'c',
    })
    const browser = await house.signedIn(person.id)
    expect((await browser.get('/account/recovery-codes/new')).status).toBe(303)
    for (const [i, code] of made.codes!.entries()) {
      const attempt = { personId: person.id, address: '127.0.0.1', knownDevice: true, conversation: `c${i}` }
      await house.factors.verify('recovery-code', code, attempt)
    }
    expect((await browser.get('/account/recovery-codes/new')).status).toBe(200)
  })

  test('a rule with a shorter idle time lets in whoever comes later than that, and counts from there', async () => {
    const rule = 'policy: account\nrules:\n  - name: all\n    allow: { session: { idle: 15m } }\n'
    const strict = await openHouse({ 'account.yaml': rule })
    try {
      const { id } = await strict.person('late')
      const browser = await strict.signedIn(id)
      const statusAfter = async (wait: number) => {
        strict.time.now += minutes(wait)
        return (await browser.get('/')).status
      }
      // signed in elsewhere, by rules that allow two hours without use
      expect([await statusAfter(20), await statusAfter(14), await statusAfter(14)]).toEqual([200, 200, 200])
      expect(await statusAfter(16)).toBe(303)
    } finally {
      await strict.close()
    }
  })

  test('a rule that wants everything anew asks once and not in circles, and old proofs stay old in other sessions', async () => {
    const strict = await openHouse({
      'account.yaml':
        'policy: account\ntitle: A\nowner: it@example.org\nrules:\n  - name: anew\n    allow: { strength: any, within: 0s }\n',
    })
    try {
      const person = await strict.person('sam')
      const browser = await strict.signedIn(person.id)
      strict.time.now += minutes(1)
      const asked = await browser.follow('/account/password')
      const back = await browser.post(asked.path, { step: 'password', password: PASSWORD })
      strict.time.now += 5_000
      const form = await browser.get(back.location)
      expect(form.status).toBe(200)
      const action = /action="(\/account\/password\?errand=[^"]+)"/.exec(form.body)![1]!
      const fields = { step: 'change-password', current: PASSWORD, password: 'four yellow ladders' }
      const other = await strict.signedIn(person.id, [password(strict.time.now - 2_000)])
      expect((await other.get(back.location)).location).toMatch(/^\/signin\//)
      expect((await browser.post(action, fields)).location).toBe('/account?done=password-changed')
      strict.time.now += 1_000
      expect((await browser.get(back.location)).location).toMatch(/^\/signin\//)
    } finally {
      await strict.close()
    }
  })
})

test('the launcher shows what opens, locks what will ask, and keeps quiet about the rest', async () => {
  const oidc = { redirect_uris: ['https://app.example/callback'] }
  const app = (id: string, name: string, more: object) =>
    house.catalog.apps.register(
      { id, name, policy: 'apps', audience: ['*'], oidc, launch_url: `https://${id}.example/`, ...more } as never,
      'cli',
    )
  await app('rota', 'Rota', {})
  await app('crm', 'CRM', {})
  await app('swap', 'SIM swap', { tags: ['risky'] })
  await app('till', 'Till', { tags: ['store-only'] })
  await app('board', 'Board', { audience: ['directors'] })
  await app('hidden', 'No start', { launch_url: null })
  const person = await someone()
  const { body } = await (await house.signedIn(person.id)).get('/')
  const doors = [...body.matchAll(/<a class="door".*?<\/a>/gs)].map(([door]) => ({
    href: /href="([^"]+)"/.exec(door)![1],
    locked: door.includes('class="locked"'),
  }))
  expect(doors).toEqual([
    { href: 'https://crm.example/', locked: false },
    { href: 'https://rota.example/', locked: false },
    { href: 'https://swap.example/', locked: true },
  ])
  for (const name of ['Till', 'Board', 'No start']) expect(body).not.toContain(name)
})

describe('adding', () => {
  test('a passkey is added, and adding it is no sign-in with it', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    for (const bad of ['', '{', JSON.stringify({ id: 'x' })]) {
      const refused = await browser.post('/account/passkeys/new', { step: 'enrol-passkey', credential: bad })
      expect([refused.status, refused.body.includes('role="alert"')]).toEqual([400, true])
    }
    const { body } = await browser.get('/account/passkeys/new')
    const options = JSON.parse(/data-options="([^"]*)"/.exec(body)![1]!.replaceAll('&quot;', '"'))
    const authenticator = createAuthenticator({ rpId: 'localhost', origin: ISSUER })
    const credential = JSON.stringify(authenticator.create(options))
    const added = await browser.post('/account/passkeys/new', { step: 'enrol-passkey', credential })
    expect(added.location).toBe('/account?done=passkey-added')
    expect((await browser.get(added.location)).body).toContain('Your passkey was added')
    const proofs = (await house.sessions.byId(browser.session.id))!.authenticated.map((proof) => proof.factor)
    expect(proofs).not.toContain('passkey')
  })

  test('a mistyped code keeps the secret that was photographed', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    const secret = secretIn((await browser.post('/account/totp/new')).body)
    const wrong = await browser.post('/account/totp/new', { step: 'enrol-totp', code: '000000' })
    expect([wrong.status, secretIn(wrong.body)]).toEqual([400, secret])
    const code = totpCode(secret, house.time.now)
    const added = await browser.post('/account/totp/new', { step: 'enrol-totp', code })
    expect(added.location).toBe('/account?done=totp-added')
  })

  test('recovery codes are made by pressing the button only, and shown once on a page that nothing keeps', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    expect((await browser.get('/account/recovery-codes/new')).status).toBe(200)
    expect(await house.factors.enrolled(person.id)).toHaveLength(1)
    const made = await browser.post('/account/recovery-codes/new')
    expect(made.body.match(/[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/g)).toHaveLength(10)
    expect(made.headers.get('cache-control')).toBe('no-store')
    expect((await browser.post('/account/recovery-codes/stored')).location).toBe('/account?done=recovery-codes-made')
  })
})

describe('the password', () => {
  const fields = { step: 'change-password', current: PASSWORD, password: 'four yellow ladders' }

  test('needs the one before, signs out everywhere else, and gives this session another cookie', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    const other = await house.signedIn(person.id)
    const wrong = await browser.post('/account/password', { ...fields, current: 'not it at all' })
    expect([wrong.status, wrong.body.includes('role="alert"')]).toEqual([400, true])
    const weak = await browser.post('/account/password', { ...fields, password: 'password' })
    expect([weak.status, weak.body.includes('too easy to guess')]).toEqual([400, true])
    expect((await other.get('/account')).status).toBe(200)

    const before = browser.cookies.get(house.sessions.cookieName)
    expect((await browser.post('/account/password', fields)).location).toBe('/account?done=password-changed')
    expect(await house.people.verifyPassword(person.username, fields.password)).not.toBe('wrong')
    expect((await other.get('/account')).status).toBe(303)
    expect(await house.sessions.find(before)).toBeUndefined()
    expect((await browser.get('/account')).status).toBe(200)
  })

  test('guesses at the current one are slowed down', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    let last = await browser.post('/account/password', { ...fields, current: 'guess 0' })
    for (let i = 1; i < 14 && last.status !== 429; i++)
      last = await browser.post('/account/password', { ...fields, current: `guess ${i}` })
    expect([last.status, Number(last.headers.get('retry-after')) > 0]).toEqual([429, true])
  })

  test('of another directory is changed there where its settings want it, and else not offered', async () => {
    const slapd = await startSlapd(
      [{ uid: 'lea', name: 'Lea', password: PASSWORD }],
      {},
      { modules: 'moduleload ppolicy', database: `overlay ppolicy\nppolicy_default "cn=policy,${BASE}"` },
    )
    await slapd.modify(
      `dn: cn=policy,${BASE}\nchangetype: add\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\n` +
        'pwdAttribute: userPassword\npwdMinLength: 15\npwdCheckQuality: 2\n',
    )
    try {
      const closed = await openHouse({}, [slapd.settings()])
      const lea = (await closed.people.find('lea'))!
      const visitor = await closed.signedIn(lea.id)
      expect((await visitor.get('/account')).body).not.toContain('/account/password')
      expect((await visitor.get('/account/password')).status).toBe(409)
      expect((await visitor.post('/account/password', fields)).status).toBe(409)
      expect(await closed.people.verifyPassword('lea', PASSWORD)).not.toBe('wrong')
      await closed.close()

      const open = await openHouse({}, [slapd.settings({ password_change: true })])
      const person = (await open.people.find('lea'))!
      const browser = await open.signedIn(person.id)
      const other = await open.signedIn(person.id)
      expect((await browser.get('/account')).body).toContain('/account/password')
      const wrong = await browser.post('/account/password', { ...fields, current: 'not it at all' })
      expect([wrong.status, wrong.body.includes('role="alert"')]).toEqual([400, true])
      const short = await browser.post('/account/password', { ...fields, password: 'yellow ladder' })
      expect([short.status, short.body.includes('too short for your directory')]).toEqual([400, true])
      expect((await other.get('/account')).status).toBe(200)
      expect((await browser.post('/account/password', fields)).location).toBe('/account?done=password-changed')
      expect(await open.people.verifyPassword('lea', PASSWORD)).toBe('wrong')
      expect(await open.people.verifyPassword('lea', fields.password)).toMatchObject({ id: person.id })
      expect((await other.get('/account')).status).toBe(303)
      expect((await browser.get('/account')).status).toBe(200)
      await open.close()
    } finally {
      await slapd.end()
    }
  })
})

describe('ending', () => {
  test('removing a factor signs out everywhere else', async () => {
    const { person, id } = await withTotp()
    const proofs = [password(house.time.now), totp(house.time.now)]
    const browser = await house.signedIn(person.id, proofs)
    const other = await house.signedIn(person.id, proofs)
    expect((await browser.post('/account/factors/unknown/remove')).status).toBe(404)
    expect((await browser.post(`/account/factors/${id}/remove`)).location).toBe('/account?done=factor-removed')
    expect((await other.get('/account')).status).toBe(303)
    expect((await browser.get('/account')).status).toBe(200)
  })

  test('the last way in stays, and the page says why', async () => {
    const person = await someone({ password: undefined })
    const about = { personId: person.id, username: person.username, name: person.name, conversation: 'c' }
    const options = await house.factors.beginEnrolment('passkey', about)
    const created = createAuthenticator({ rpId: 'localhost', origin: ISSUER }).create(options)
    const { id, proof } = await house.factors.finishEnrolment('passkey', created, about)
    const browser = await house.signedIn(person.id, [proof!])
    expect((await browser.get('/account')).body).not.toContain(`/account/factors/${id}/remove`)
    const refused = await browser.post(`/account/factors/${id}/remove`)
    expect([refused.status, refused.body.includes('This is the only way left')]).toEqual([409, true])
  })

  test("only one's own sessions can be ended, one by one or all others", async () => {
    const [person, stranger] = [await someone(), await someone()]
    const browser = await house.signedIn(person.id)
    const [first, second, foreign] = [
      await house.signedIn(person.id),
      await house.signedIn(person.id),
      await house.signedIn(stranger.id),
    ]
    expect((await browser.post(`/account/sessions/${foreign.session.id}/end`)).status).toBe(404)
    expect((await foreign.get('/account')).status).toBe(200)
    expect((await browser.post(`/account/sessions/${first.session.id}/end`)).location).toBe(
      '/account?done=session-ended',
    )
    expect((await first.get('/account')).status).toBe(303)
    expect((await second.get('/account')).status).toBe(200)
    await browser.post('/account/sessions/end-others')
    expect((await second.get('/account')).status).toBe(303)
    expect((await browser.post(`/account/sessions/${browser.session.id}/end`)).location).toBe('/signout')
    expect((await browser.get('/account')).status).toBe(200)
  })

  test("only one's own devices are forgotten", async () => {
    const [person, stranger] = [await someone(), await someone()]
    const browser = await house.signedIn(person.id)
    const { device } = await house.devices.remember(undefined, person.id, { label: 'Firefox on Linux' })
    const foreign = await house.devices.remember(undefined, stranger.id, { label: 'x' })
    expect((await browser.get('/account')).body).toContain('Firefox on Linux')
    expect((await browser.post(`/account/devices/${foreign.device.id}/forget`)).status).toBe(404)
    expect((await browser.post(`/account/devices/${device.id}/forget`)).location).toBe('/account?done=device-forgotten')
    expect(await house.devices.ofPerson(person.id)).toEqual([])
    expect(await house.devices.ofPerson(stranger.id)).toHaveLength(1)
  })

  test('taking back what an app was allowed ends what it holds', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    house.agreed.set(person.id, [{ app: 'partner', scopes: ['openid'] }])
    expect((await browser.post('/account/consents/crm/withdraw')).status).toBe(404)
    expect((await browser.post('/account/consents/partner/withdraw')).location).toBe('/account?done=consent-withdrawn')
    expect(house.revoked).toContain(`${person.id} partner`)
    expect(await house.events()).toContain('consent-withdrawn')
  })

  test('a notice is one of ours or none', async () => {
    const browser = await house.signedIn((await someone()).id)
    expect((await browser.get('/account?done=password-changed')).body).toContain('class="notice"')
    for (const text of ['anything', '__proto__', '<b>'])
      expect((await browser.get(`/account?done=${encodeURIComponent(text)}`)).body).not.toContain('class="notice"')
  })
})

describe('why', () => {
  test('tells the person by which rule and what would help, and no address; to anybody else it is not there', async () => {
    const [person, stranger] = [await someone(), await someone()]
    const app = await house.catalog.apps.find('till')
    const browser = await house.signedIn(person.id)
    const { session } = browser
    const refused = await house.access.ask({
      kind: 'app',
      app,
      session,
      address: '203.0.113.9',
      startedAt: house.time.now,
    })
    const page = await browser.get(`/why/${refused.reference}`)
    expect(page.status).toBe(200)
    const helps = 'Open it from one of these networks: stores.'
    for (const said of ['Stayed closed', 'closed outside stores', 'Till', refused.reference!, helps])
      expect(page.body).toContain(said)
    for (const hidden of ['203.0.113', '192.0.2', 'store-only']) expect(page.body).not.toContain(hidden)

    const foreign = await (await house.signedIn(stranger.id)).get(`/why/${refused.reference}`)
    const unknown = await browser.get('/why/0000-0000')
    const plain = (body: string) => body.replaceAll(/nonce="[^"]*"|\/why\/[\w-]+/g, '')
    expect([foreign.status, plain(foreign.body)]).toEqual([404, plain(unknown.body)])
    expect((await browser.get(`/why/${'7'.repeat(5000)}`)).status).toBe(404)
  })

  test('of a challenge says what is missing and how to get there', async () => {
    const person = await someone()
    const app = await house.catalog.apps.find('swap')
    const browser = await house.signedIn(person.id)
    const { session } = browser
    const asked = await house.access.ask({ kind: 'app', app, session, address: '127.0.0.1', startedAt: house.time.now })
    const { body } = await browser.get(`/why/${asked.reference}`)
    for (const said of ['Asked to confirm', 'SIM swap asks for more', 'Add a passkey on your account page'])
      expect(body).toContain(said)
  })
})

describe('signing out', () => {
  test('asks first, ends the session, empties the browser, and keeps the device known', async () => {
    const person = await someone()
    const browser = await house.signedIn(person.id)
    browser.cookies.set(house.devices.cookieName, 'kept')
    const asked = await browser.get('/signout')
    expect([asked.status, asked.body.includes(person.username)]).toEqual([200, false])
    expect((await browser.post('/signout', { answer: 'deny' })).location).toBe('/')
    expect(await house.sessions.byId(browser.session.id)).toBeDefined()

    const out = await browser.post('/signout', { answer: 'allow' })
    expect([out.status, out.headers.get('clear-site-data')]).toEqual([303, '"cache", "storage"'])
    expect(await house.sessions.byId(browser.session.id)).toBeUndefined()
    expect([...browser.cookies.keys()].sort()).toEqual([house.devices.cookieName, 'portico-left'].sort())
    expect((await browser.get(out.location)).body).toContain('You are signed out')
    expect((await house.events()).slice(0, 2)).toEqual(['person-signed-out', 'session-ended'])
    expect((await browser.get('/signout')).body).toContain('You are signed out')
  })
})
