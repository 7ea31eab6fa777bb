/** The second factor can be neither guessed nor walked around. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf, type Page } from '../../demo/browser.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'
import {
  anApp,
  appAddress,
  type Browser,
  browserAt,
  cookiesOf,
  giveTotp,
  identify,
  movableClock,
  newAddress,
  PROXIED,
  post,
  stepOf,
  wrongCode,
} from './people.ts'

const HARD = `policy: hard
rules:
  - { name: nothing that can be fished for, allow: { strength: phishing-resistant } }
`
const REMEMBER = `policy: remember
rules:
  - { name: trusted, when: { device.known: true }, allow: { strength: two-factors, remember_device: 30d } }
  - { name: two, allow: { strength: two-factors } }
`

let gateway: Gateway
const clock = movableClock()
const secrets = new Map<string, string>()
let people = 0

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: { ...POLICIES, 'hard.yaml': HARD, 'remember.yaml': REMEMBER },
    apps: [
      anApp('web', 'plain'),
      anApp('strict', 'strict'),
      anApp('hard', 'hard'),
      anApp('remember', 'remember'),
      anApp('theirs', 'plain', { first_party: false }),
    ],
  })
})
afterAll(() => gateway.close())

/** Somebody new, with an authenticator app unless told otherwise. */
async function somebody(withTotp = true): Promise<{ username: string; id: string }> {
  const username = `person${++people}`
  const { people: directory } = gateway.server.house
  const { id } = await directory.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  if (withTotp) {
    secrets.set(username, await giveTotp(gateway, id, clock.now()))
    clock.at += 30_000
  }
  return { username, id }
}
const codeOf = (username: string): string => totpCode(secrets.get(username)!, clock.now())
/** At the page that asks for the code. */
const beforeCode = async (browser: Browser, username: string, app = 'strict'): Promise<Page> => {
  const page = await typePassword(browser, await browser.open(appAddress(gateway, app)), username)
  expect(stepOf(page)).toBe('totp')
  return page
}
const kindsOf = async (id: string) => (await gateway.server.house.factors.enrolled(id)).map(({ kind }) => kind)
/** The page says that the code was wrong, rather than that nobody listens any more. */
const count = (answers: readonly { status: number }[], status: number) =>
  answers.filter((answer) => answer.status === status).length

describe('guessing a code', () => {
  test('50 guesses at once in one sign-in get no more tries than one after the other', async () => {
    const { username } = await somebody()
    const browser = browserAt()
    const form = formOf(await beforeCode(browser, username), 'totp')
    const code = wrongCode(secrets.get(username)!, clock.now())
    const guesses = await Promise.all(
      Array.from({ length: 50 }, () =>
        post(browser, form.action, { step: 'totp', code }, { 'x-forwarded-for': newAddress() }),
      ),
    )
    expect(count(guesses, 400)).toBeLessThanOrEqual(5)
    expect(count(guesses, 400) + count(guesses, 429)).toBe(50)
    // and then not even the right one is looked at
    const right = await post(browser, form.action, { step: 'totp', code: codeOf(username) })
    expect(right.status).toBe(429)
    expect(right.text).not.toContain(codeOf(username))
  })

  test('beginning anew brings no new tries beyond those of the person', async () => {
    const { username } = await somebody()
    const browsers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const browser = browserAt()
        return { browser, form: formOf(await beforeCode(browser, username), 'totp') }
      }),
    )
    const code = wrongCode(secrets.get(username)!, clock.now())
    const guesses = await Promise.all(
      browsers.flatMap(({ browser, form }) =>
        Array.from({ length: 5 }, () => post(browser, form.action, { step: 'totp', code })),
      ),
    )
    // ten, and the first of those that are let through one by one
    expect(count(guesses, 400)).toBeLessThanOrEqual(11)
    expect(count(guesses, 429)).toBeGreaterThanOrEqual(39)
  })

  test('wrong codes while an authenticator app is added end the adding', async () => {
    const { username, id } = await somebody(false)
    const browser = browserAt()
    await typePassword(browser, await browser.open(`${gateway.issuer}/account`), username)
    const secretOf = (page: Page) =>
      /data-secret="([^"]+)"|secret=([A-Z2-7]{32})/.exec(page.text)?.slice(1).find(Boolean)
    let page = await browser.open(`${gateway.issuer}/account/totp/new`)
    const first = secretOf(page)
    for (let i = 0; i < 5; i++) page = await browser.submit(formOf(page, 'enrol-totp'), { code: '000000' })
    expect(secretOf(page)).toBeDefined()
    expect(secretOf(page)).not.toBe(first)
    expect(await kindsOf(id)).toEqual(['password'])
  })
})

describe('a code', () => {
  test('works once: not in another sign-in, and of two at once in one of them', async () => {
    const { username } = await somebody()
    const [one, two] = [browserAt(), browserAt()]
    const forms = [formOf(await beforeCode(one, username), 'totp'), formOf(await beforeCode(two, username), 'totp')]
    const code = codeOf(username)
    const answers = await Promise.all([
      post(one, forms[0]!.action, { step: 'totp', code }),
      post(two, forms[1]!.action, { step: 'totp', code }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400])
    const later = browserAt()
    const form = formOf(await beforeCode(later, username), 'totp')
    expect((await post(later, form.action, { step: 'totp', code })).status).toBe(400)
    // nor does an earlier one that was never used
    clock.at += 60_000
    const next = await post(later, form.action, { step: 'totp', code: codeOf(username) })
    expect(next.status).toBe(303)
    const again = browserAt()
    const last = formOf(await beforeCode(again, username), 'totp')
    const earlier = totpCode(secrets.get(username)!, clock.now() - 30_000)
    expect((await post(again, last.action, { step: 'totp', code: earlier })).status).toBe(400)
  })

  test('of another person is wrong', async () => {
    const [victim, thief] = [await somebody(), await somebody()]
    const browser = browserAt()
    const form = formOf(await beforeCode(browser, victim.username), 'totp')
    const answer = await post(browser, form.action, { step: 'totp', code: codeOf(thief.username) })
    expect(answer.status).toBe(400)
    expect(atCallback(await browser.open(appAddress(gateway, 'strict')))).toBe(false)
  })

  test('of a thief who names themself in the middle does not raise the session of the victim', async () => {
    const [victim, thief] = [await somebody(), await somebody()]
    const browser = browserAt()
    const form = formOf(await beforeCode(browser, victim.username), 'totp')
    for (const fields of [
      { step: 'totp', code: codeOf(thief.username), username: thief.username, personId: thief.id },
      { step: 'password', username: thief.username, password: PASSWORD },
      { step: 'identifier', username: thief.username },
    ])
      await post(browser, form.action, fields)
    const sessions = await gateway.server.house.sessions.ofPerson(victim.id)
    expect(sessions.flatMap(({ authenticated }) => authenticated.map(({ factor }) => factor))).toEqual(['password'])
    expect(await gateway.server.house.sessions.ofPerson(thief.id)).toEqual([])
  })
})

describe('walking around it', () => {
  test('the address to go on at gives nothing before the conversation is over', async () => {
    const { username } = await somebody()
    const browser = browserAt()
    const page = await beforeCode(browser, username)
    const uid = page.url.pathname.split('/').pop()
    const resumed = await browser.open(`${gateway.issuer}/oauth2/auth/${uid}`)
    expect(atCallback(resumed)).toBe(false)
    expect(stepOf(resumed)).toBe('totp')
  })

  test.each([
    ['consent', { step: 'consent', answer: 'allow' }],
    ['enrol-totp', { step: 'enrol-totp', code: '000000' }],
    ['enrol-choice', { step: 'enrol-choice', way: 'totp' }],
    ['enrol-passkey', { step: 'enrol-passkey', credential: '{}' }],
    ['recovery-code', { step: 'recovery-code', code: 'AAAA-AAAA' }],
    ['passkey', { step: 'passkey', credential: '{}' }],
    ['refused', { step: 'refused' }],
    ['choice', { step: 'choice', way: 'password' }],
    ['leave', { step: 'leave' }],
    ['__proto__', { step: '__proto__' }],
    ['toString', { step: 'toString' }],
    ['', {}],
  ])('answering "%s" instead of the code', async (_step, fields) => {
    const { username, id } = await somebody()
    const browser = browserAt()
    const form = formOf(await beforeCode(browser, username), 'totp')
    const answer = await post(browser, form.action, fields as Record<string, string>)
    expect(answer.status).toBeLessThan(500)
    expect(stepOf(await browser.open(appAddress(gateway, 'strict')))).toBe('totp')
    expect(await kindsOf(id)).toEqual(['password', 'totp'])
  })

  test.each(['password', 'totp', 'consent', 'enrol-totp', 'enrol-choice', 'recovery-code', 'refused', 'choice'])(
    'beginning with "%s"',
    async (step) => {
      const { username } = await somebody()
      const browser = browserAt()
      const form = formOf(await browser.open(appAddress(gateway, 'strict')), 'identifier')
      const fields = { step, username, password: PASSWORD, code: codeOf(username), answer: 'allow', way: 'totp' }
      const answer = await post(browser, form.action, fields)
      expect(answer.status).toBeLessThan(500)
      expect(answer.cookies.join()).not.toContain('portico-session=')
      expect(stepOf(await browser.open(appAddress(gateway, 'strict')))).toBe('identifier')
    },
  )

  test('another way to the same app: silently, pushed, with a lower acr, with an old max_age', async () => {
    const { username } = await somebody()
    const browser = browserAt()
    await beforeCode(browser, username)
    for (const more of [
      { prompt: 'none' },
      { prompt: 'consent' },
      { acr_values: 'any' },
      { max_age: '99999999' },
      { claims: '{"id_token":{"acr":{"essential":true,"value":"any"}}}' },
      { login_hint: username },
    ]) {
      const page = await browser.open(appAddress(gateway, 'strict', more as Record<string, string>))
      expect(page.url.searchParams.get('code')).toBeNull()
    }
  })

  test('the errand of a weaker app does not open the stronger one', async () => {
    const { username } = await somebody()
    const browser = browserAt()
    // two tabs: the strict one waits for the code, the plain one is finished
    const strict = await beforeCode(browser, username)
    const plain = await browser.open(appAddress(gateway, 'web'))
    expect(plain.url.searchParams.has('code')).toBe(true)
    const uid = strict.url.pathname.split('/').pop()
    expect(atCallback(await browser.open(`${gateway.issuer}/oauth2/auth/${uid}`))).toBe(false)
  })
})

describe("somebody else's conversation", () => {
  test('cannot be gone on with in another browser', async () => {
    const { username } = await somebody()
    const browser = browserAt()
    const page = await identify(browser, appAddress(gateway, 'strict'), username)
    const thief = browserAt()
    await identify(thief, appAddress(gateway, 'strict'), username)
    expect((await thief.open(page.url.href)).status).toBe(400)
    const answer = await post(thief, page.url, { step: 'password', password: PASSWORD })
    expect(answer.status).toBe(400)
    expect(answer.cookies.join()).not.toContain('portico-session=')
    // its owner goes on
    expect(stepOf(await browser.submit(formOf(page, 'password'), { password: PASSWORD }))).toBe('totp')
  })

  test('a thief who lets the victim finish what the thief began gets nothing', async () => {
    const { username } = await somebody(false)
    const [thief, victim] = [browserAt(), browserAt()]
    // the thief goes to the app, but does not answer the page that comes; the victim is lured there and does
    const begun = await thief.open(appAddress(gateway, 'web'))
    const asked = await victim.open(begun.url.href)
    await typePassword(victim, asked, username)
    const uid = begun.url.pathname.split('/').pop()
    const taken = await thief.open(`${gateway.issuer}/oauth2/auth/${uid}`)
    expect(taken.url.searchParams.get('code')).toBeNull()
    expect(cookiesOf(thief)).not.toContain('portico-session=')
    expect(atCallback(await thief.open(appAddress(gateway, 'web')))).toBe(false)
  })

  test('the consent of a thief is not the consent of whoever follows the link', async () => {
    const [thief, victim] = [await somebody(false), await somebody(false)]
    const [thiefs, victims] = [browserAt(), browserAt()]
    await typePassword(victims, await victims.open(appAddress(gateway, 'web')), victim.username)
    await typePassword(thiefs, await thiefs.open(appAddress(gateway, 'web')), thief.username)
    const asked = await thiefs.open(appAddress(gateway, 'theirs'))
    const form = formOf(asked, 'consent')
    // agreed to, but the way back to the app is left to the victim
    const { location } = await post(thiefs, form.action, { ...Object.fromEntries(form.fields), answer: 'allow' })
    expect(location).toMatch(/^\/oauth2\/auth\//)
    await victims.open(`${gateway.issuer}${location}`)
    expect(stepOf(await victims.open(appAddress(gateway, 'theirs')))).toBe('consent')
    // it was the thief's, and stays so
    expect(atCallback(await thiefs.open(`${gateway.issuer}${location}`))).toBe(true)
  })
})

describe('adding a factor', () => {
  const CHANGES: readonly (readonly [path: string, fields: Record<string, string>])[] = [
    ['/account/totp/new', { step: 'enrol-totp', code: '000000' }],
    ['/account/passkeys/new', { step: 'enrol-passkey', credential: '{}' }],
    ['/account/recovery-codes/new', {}],
    ['/account/password', { step: 'change-password', current: PASSWORD, password: 'another lamp post' }],
    ['/account/factors/password/remove', {}],
    ['/account/sessions/end-others', {}],
  ]

  /** A browser with a session that was proved so long ago. */
  async function withSession(personId: string, ago: number, factors: readonly ('password' | 'totp')[] = ['password']) {
    const { sessions } = gateway.server.house
    const amr = { password: 'pwd', totp: 'otp' }
    const proofs = factors.map((factor) => ({ factor, at: clock.now() - ago, amr: [amr[factor]] }))
    const { cookie } = await sessions.start({ personId, proofs, address: '127.0.0.1' })
    const browser = browserAt()
    browser.jar.set(sessions.cookieName, cookie)
    return browser
  }

  test.each(CHANGES)('by %s asks again in an old session', async (path, fields) => {
    const { username, id } = await somebody(false)
    const browser = await withSession(id, 3_600_000)
    const { status, location } = await post(browser, `${gateway.issuer}${path}`, fields)
    expect(status).toBe(303)
    expect(location).toMatch(/^\/signin\//)
    expect(await kindsOf(id)).toEqual(['password'])
    expect(await gateway.server.house.people.verifyPassword(username, PASSWORD)).not.toBe('wrong')
  })

  test.each(CHANGES)('by %s asks for the factor that there is, however fresh the password', async (path, fields) => {
    const { id } = await somebody()
    const browser = await withSession(id, 0)
    const { status, location } = await post(browser, `${gateway.issuer}${path}`, fields)
    expect(status).toBe(303)
    expect(stepOf(await browser.open(`${gateway.issuer}${location}`))).toBe('totp')
    expect(await kindsOf(id)).toEqual(['password', 'totp'])
  })

  test('an errand of another session, or one that was never finished, proves nothing', async () => {
    const { id } = await somebody(false)
    const [old, fresh] = [await withSession(id, 3_600_000), await withSession(id, 0)]
    const { location } = await post(old, `${gateway.issuer}/account/totp/new`, {})
    const errand = location.split('/').pop()!
    for (const query of [errand, `${'a'.repeat(22)}${errand.slice(22)}`, '', '__proto__', 'x'.repeat(64)]) {
      const again = await post(old, `${gateway.issuer}/account/totp/new?errand=${query}`, {})
      expect(again.location).toMatch(/^\/(signin\/|account$)/)
    }
    // the fresh one needs none
    expect((await post(fresh, `${gateway.issuer}/account/totp/new`, {})).status).toBe(200)
  })

  test('a passkey that was begun in one session cannot be finished in another', async () => {
    const { id } = await somebody(false)
    const { hostname: rpId, origin } = new URL(gateway.issuer)
    const authenticator = createAuthenticator({ rpId, origin })
    const [one, other] = [await withSession(id, 0), await withSession(id, 0)]
    const begun = await one.open(`${gateway.issuer}/account/passkeys/new`)
    const options = JSON.parse(/data-options="([^"]*)"/.exec(begun.text)![1]!.replaceAll('&quot;', '"'))
    const credential = JSON.stringify(authenticator.create(options))
    const wrong = await post(other, `${gateway.issuer}/account/passkeys/new`, { step: 'enrol-passkey', credential })
    expect(wrong.status).toBe(400)
    expect(await kindsOf(id)).toEqual(['password'])
    const right = await post(one, `${gateway.issuer}/account/passkeys/new`, { step: 'enrol-passkey', credential })
    expect(right.status).toBe(303)
    expect(await kindsOf(id)).toEqual(['password', 'passkey'])
  })

  test('on the way to an app is not offered beside a factor that exists', async () => {
    const { username, id } = await somebody()
    const browser = browserAt()
    const page = await beforeCode(browser, username)
    expect(page.text).not.toMatch(/enrol/)
    for (const view of ['enrol', 'other'])
      expect((await browser.open(`${page.url.href}&${view}`)).text).not.toMatch(/step" value="enrol/)
    expect(await kindsOf(id)).toEqual(['password', 'totp'])
  })

  test("nor where that factor is not enough: with a stolen password one would add one of one's own", async () => {
    const { username, id } = await somebody()
    const browser = browserAt()
    const page = await typePassword(browser, await browser.open(appAddress(gateway, 'hard')), username)
    expect(page.status).toBe(403)
    for (const fields of [
      { step: 'enrol-choice', way: 'passkey' },
      { step: 'enrol-passkey', credential: '{}' },
    ]) {
      await post(browser, page.url, fields as Record<string, string>)
      expect((await browser.open(page.url.href)).text).not.toContain('data-options')
    }
    expect(await kindsOf(id)).toEqual(['password', 'totp'])
  })
})

describe('a remembered device', () => {
  /** Signs in with both factors and asks to be remembered. */
  async function remembered(username: string): Promise<Browser> {
    const browser = browserAt()
    // the first time makes the device known, the second time it can be trusted
    const first = await typePassword(browser, await browser.open(appAddress(gateway, 'remember')), username)
    await browser.submit(formOf(first, 'totp'), { code: codeOf(username) })
    clock.at += 30_000
    browser.jar.delete('portico-session')
    const second = await typePassword(browser, await browser.open(appAddress(gateway, 'remember')), username)
    const page = await browser.submit(formOf(second, 'totp'), { code: codeOf(username), remember: 'yes' })
    expect(atCallback(page)).toBe(true)
    clock.at += 30_000
    return browser
  }
  async function withDevice(cookie: string): Promise<Browser> {
    const browser = browserAt()
    browser.jar.set('portico-device', cookie)
    return browser
  }

  test('spares its person the code, so the tests can fail', async () => {
    const { username } = await somebody()
    const browser = await remembered(username)
    browser.jar.delete('portico-session')
    expect(atCallback(await typePassword(browser, await browser.open(appAddress(gateway, 'remember')), username))).toBe(
      true,
    )
  })

  test('spares nobody else the code', async () => {
    const [owner, other] = [await somebody(), await somebody()]
    const device = (await remembered(owner.username)).jar.get('portico-device')!
    const browser = await withDevice(device)
    const page = await typePassword(browser, await browser.open(appAddress(gateway, 'remember')), other.username)
    expect(stepOf(page)).toBe('totp')
  })

  test('is no way in by itself, and no longer one after it was forgotten or used by somebody else', async () => {
    const { username, id } = await somebody()
    const device = (await remembered(username)).jar.get('portico-device')!
    const bare = await withDevice(device)
    expect(stepOf(await bare.open(appAddress(gateway, 'remember')))).toBe('identifier')

    const { devices } = gateway.server.house
    for (const one of await devices.ofPerson(id)) await devices.forget(id, one.id, 'test')
    const thief = await withDevice(device)
    const page = await typePassword(thief, await thief.open(appAddress(gateway, 'remember')), username)
    expect(stepOf(page)).toBe('totp')
  })

  test('is asked for the code again, in the session that it was spared in, once somebody took it back', async () => {
    const { username, id } = await somebody()
    const browser = await remembered(username)
    browser.jar.delete('portico-session')
    const open = () => browser.open(appAddress(gateway, 'remember'))
    expect(atCallback(await typePassword(browser, await open(), username))).toBe(true)
    expect(atCallback(await open())).toBe(true)
    const { devices } = gateway.server.house
    // what `devices revoke` and the button of the account page do
    for (const one of await devices.ofPerson(id)) await devices.forget(id, one.id, 'cli')
    const asked = await open()
    expect(stepOf(asked)).toBe('totp')
    expect(atCallback(await browser.submit(formOf(asked, 'totp'), { code: codeOf(username) }))).toBe(true)
    clock.at += 30_000
  })

  test('a copy of its cookie dies when the device itself is used with both factors again', async () => {
    const { username } = await somebody()
    const browser = await remembered(username)
    const copied = browser.jar.get('portico-device')!
    // the person signs in afresh and asks to be remembered again: a new secret
    browser.jar.delete('portico-session')
    const { devices } = gateway.server.house
    const found = await devices.find(copied)
    const { cookie } = await devices.remember(copied, (await gateway.server.house.people.find(username))!.id, {
      label: '',
      until: clock.now() + 86_400_000,
    })
    expect(cookie).not.toBe(copied)
    expect(await devices.find(cookie)).toMatchObject({ id: found!.id })
    const thief = await withDevice(copied)
    const page = await typePassword(thief, await thief.open(appAddress(gateway, 'remember')), username)
    expect(stepOf(page)).toBe('totp')
  })
})
