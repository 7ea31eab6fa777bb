/** Flaws of logic: steps of two people, two browsers or two moments put together in a way nobody meant. */
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REFUSALS } from '#core/refusals'
import { formOf } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'
import {
  anApp,
  appAddress,
  type Browser,
  browserAt,
  giveTotp,
  identify,
  movableClock,
  PROXIED,
  post,
  stepOf,
} from './people.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const REMEMBER = `policy: remember
rules:
  - { name: remembered, allow: { strength: two-factors, within: 1h, remember_device: 30d } }
`

let gateway: Gateway
const clock = movableClock()
let count = 0

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: { ...POLICIES, 'remember.yaml': REMEMBER },
    apps: [
      anApp('web', 'plain'),
      anApp('remember', 'remember'),
      anApp('tv', 'plain', { oidc: { scopes: ['openid'], grant_types: [DEVICE_CODE], redirect_uris: [] } }),
      anApp('mail', 'plain', {
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'offline_access'],
          pkce: 'optional',
          grant_types: ['authorization_code', 'refresh_token'],
        },
      }),
    ],
  })
})
afterAll(() => gateway.close())

async function somebody() {
  const username = `person${++count}`
  const { people } = gateway.server.house
  const { id } = await people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  return { username, id }
}
const signIn = async (browser: Browser, username: string, app = 'web', more: Record<string, string> = {}) =>
  typePassword(browser, await browser.open(appAddress(gateway, app, more)), username)
/** Signs in at an app that stays: its refresh token outlives the session. */
async function stay(browser: Browser, username: string) {
  const more = { scope: 'openid offline_access', prompt: 'consent' }
  const asked = await signIn(browser, username, 'mail', more)
  const page = await browser.submit(formOf(asked, 'consent'), { answer: 'allow' })
  const { refresh_token = '', access_token = '' } = await redeem('mail', page.url)
  expect(refresh_token).not.toBe('')
  return { refresh_token, access_token }
}

async function token(app: string, fields: Record<string, string>) {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${gateway.secrets.get(app)}`)}` },
    body: new URLSearchParams(fields),
  })
  const answer = (await response.json()) as {
    access_token?: string
    refresh_token?: string
    id_token?: string
    error?: string
  }
  return { status: response.status, ...answer }
}
const redeem = (app: string, callback: URL) =>
  token(app, {
    grant_type: 'authorization_code',
    code: callback.searchParams.get('code') ?? '',
    redirect_uri: CALLBACK,
  })
const refresh = (refresh_token: string) => token('mail', { grant_type: 'refresh_token', refresh_token })
async function active(app: string, value: string): Promise<boolean> {
  const response = await fetch(`${gateway.issuer}/oauth2/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${gateway.secrets.get(app)}`)}` },
    body: new URLSearchParams({ token: value }),
  })
  return ((await response.json()) as { active: boolean }).active
}
async function startDevice() {
  const response = await fetch(`${gateway.issuer}/oauth2/device/auth`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`tv:${gateway.secrets.get('tv')}`)}` },
    body: new URLSearchParams({ scope: 'openid' }),
  })
  return (await response.json()) as { user_code: string; device_code: string; verification_uri: string }
}
const poll = (device_code: string) => token('tv', { grant_type: DEVICE_CODE, device_code })

describe('the device flow', () => {
  test('is not gone through by another site of the same domain, in a planted session of the engine', async () => {
    const { username } = await somebody()
    const [thief, victim] = [browserAt(), browserAt()]
    const device = await startDevice()
    const page = await thief.open(device.verification_uri)
    const xsrf = formOf(page, 'device-code').fields.get('xsrf')!
    // a sibling host sets cookies for the whole domain
    victim.jar.set('portico-engine', thief.jar.get('portico-engine')!)
    for (const site of [{ 'sec-fetch-site': 'same-site' }, { origin: 'https://sibling.example' }]) {
      const answer = await post(
        victim,
        device.verification_uri,
        { user_code: device.user_code, xsrf, confirm: 'yes' },
        site as Record<string, string>,
      )
      expect([answer.status, answer.location]).toEqual([403, ''])
    }
    await signIn(victim, username)
    expect((await poll(device.device_code)).error).toBe('authorization_pending')
  })

  test('a thief who lets the victim finish what the thief began gets nothing', async () => {
    const { username } = await somebody()
    const [thief, victim] = [browserAt(), browserAt()]
    const device = await startDevice()
    const typed = await thief.submit(formOf(await thief.open(device.verification_uri), 'device-code'), {
      user_code: device.user_code,
    })
    const asked = await thief.submit(formOf(typed, 'device-confirm'), { confirm: 'yes' })
    await typePassword(victim, await victim.open(asked.url.href), username)
    await thief.open(asked.url.href)
    await thief.open(`${gateway.issuer}/oauth2/device/${asked.url.pathname.split('/').at(-1)}`)
    expect((await poll(device.device_code)).error).toBe('authorization_pending')
  })
})

describe('a remembered device', () => {
  async function trusted() {
    const person = await somebody()
    const secret = await giveTotp(gateway, person.id, clock.now())
    clock.at += 30_000
    const browser = browserAt()
    const page = await signIn(browser, person.username, 'remember')
    const done = await browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.now()), remember: 'yes' })
    expect(atCallback(done)).toBe(true)
    clock.at += 30_000
    return { ...person, secret, browser }
  }
  async function trustOf(browser: Browser, id: string) {
    const { devices } = gateway.server.house
    return devices.trustedUntil(await devices.find(browser.jar.get('portico-device'), id), id)
  }

  test('is not trusted for longer because a password was given with the box of the other page', async () => {
    const { id, browser } = await trusted()
    const until = await trustOf(browser, id)
    expect(until).toBeGreaterThan(clock.now())
    clock.at += 3_700_000
    const asked = await browser.open(appAddress(gateway, 'remember'))
    expect(stepOf(asked)).toBe('password')
    const done = await browser.submit(formOf(asked, 'password'), { password: PASSWORD, remember: 'yes' })
    expect(atCallback(done)).toBe(true)
    expect(await trustOf(browser, id)).toBe(until)
  })
})

describe('whose request it is', () => {
  test('an id_token_hint of somebody else asks for them and never goes in circles', async () => {
    const [owner, other] = [await somebody(), await somebody()]
    const { id_token = '' } = await redeem('web', (await signIn(browserAt(), owner.username)).url)
    expect(id_token).not.toBe('')
    const browser = browserAt()
    await signIn(browser, other.username)
    const hint = { id_token_hint: id_token }
    const silent = await browser.open(appAddress(gateway, 'web', { ...hint, prompt: 'none' }))
    expect(silent.url.searchParams.get('error')).toBe('login_required')
    const sub = { claims: JSON.stringify({ id_token: { sub: { value: owner.id } } }) }
    for (const named of [hint, sub]) {
      // whoever is signed in does not count, and another one who signs in instead gets no code
      const asked = await browser.open(appAddress(gateway, 'web', named))
      expect(stepOf(asked)).toBe('identifier')
      const wrong = await typePassword(browser, asked, other.username)
      expect([atCallback(wrong), wrong.url.searchParams.get('error')]).toEqual([true, 'login_required'])
      const again = await browser.open(appAddress(gateway, 'web', named))
      const right = await typePassword(browser, again, owner.username)
      expect(atCallback(right) && right.url.searchParams.has('code')).toBe(true)
      await signIn(browserAt(), other.username)
      browser.jar.delete('portico-session')
      await signIn(browser, other.username)
    }
  })
})

describe('nothing outlives its end', () => {
  test('of somebody who signs in while being switched off no session is left for when they come back', async () => {
    const { people, sessions } = gateway.server.house
    let left = 0
    for (let round = 0; round < 4; round++) {
      const { username, id } = await somebody()
      const pages = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const browser = browserAt()
          return { browser, page: await identify(browser, `${gateway.issuer}/signin`, username) }
        }),
      )
      let first: () => void
      const begun = new Promise<void>((resolve) => {
        first = resolve
      })
      const answers = pages.map(({ browser, page }) =>
        post(browser, formOf(page, 'password').action, { step: 'password', password: PASSWORD }).then((answer) => {
          first()
          return answer
        }),
      )
      await begun
      await people.disable(id, 'test')
      await Promise.all(answers)
      await people.enable(id, 'test')
      left += (await sessions.ofPerson(id)).length
    }
    expect(left).toBe(0)
  })

  test('tokens that were on their way when the person was switched off are dead, also when they come back', async () => {
    const { people } = gateway.server.house
    let [lively, rounds] = [0, 0]
    for (let round = 0; round < 4; round++) {
      const { username, id } = await somebody()
      const families = await Promise.all(Array.from({ length: 6 }, () => stay(browserAt(), username)))
      const loops = families.map(async (held) => {
        for (let last: Awaited<ReturnType<typeof refresh>>; ; ) {
          last = await refresh(held.refresh_token)
          if (last.status !== 200) return held
          rounds++
          held = { refresh_token: last.refresh_token ?? '', access_token: last.access_token ?? '' }
        }
      })
      await new Promise((resolve) => setTimeout(resolve, 30 + 10 * round))
      await people.disable(id, 'test')
      const held = await Promise.all(loops)
      await people.enable(id, 'test')
      for (const one of held) {
        if (await active('mail', one.access_token)) lively++
        if ((await refresh(one.refresh_token)).status === 200) lively++
      }
    }
    expect(rounds).toBeGreaterThan(0)
    expect(lively).toBe(0)
  })

  test('after a change of the password nothing that the old one opened goes on: no session, no app that stays', async () => {
    const { username, id } = await somebody()
    const [thief, owner] = [browserAt(), browserAt()]
    const held = await stay(thief, username)
    await signIn(owner, username)
    const page = await owner.open(`${gateway.issuer}/account/password`)
    await owner.submit(formOf(page, 'change-password'), { current: PASSWORD, password: 'four yellow ladders' })
    expect(await gateway.server.house.sessions.ofPerson(id)).toHaveLength(1)
    expect(await active('mail', held.access_token)).toBe(false)
    expect((await refresh(held.refresh_token)).status).toBe(400)
  })

  test('an old password whose check was still waiting when it was changed is wrong', async () => {
    const { people } = gateway.server.house
    const { username, id } = await somebody()
    let changed = false
    let finished = 0
    const late: boolean[] = []
    const loops = Array.from({ length: 6 }, async () => {
      for (let verdict: unknown; verdict !== 'wrong'; ) {
        const before = !changed
        verdict = await people.verifyPassword(username, PASSWORD)
        finished++
        if (before && changed) late.push(verdict === 'wrong')
      }
    })
    await people.setPassword(id, 'four yellow ladders', 'test')
    changed = true
    await Promise.all(loops)
    expect(finished).toBeGreaterThan(0)
    expect(late).not.toContain(false)
  })
})

describe('the very first start', () => {
  test('of twenty who claim at once one becomes administrator; a mistake can be mended; then it is over', async () => {
    const fresh = await startGateway({ policies: POLICIES })
    try {
      const claim = (username: string, password: string) =>
        fetch(fresh.server.claimUrl!, {
          method: 'POST',
          redirect: 'manual',
          body: new URLSearchParams({ username, name: username, password }),
        }).then(({ status }) => status)
      expect(await claim('root', 'short')).toBe(400)
      const said = async (fields: Record<string, string>) =>
        (await fetch(fresh.server.claimUrl!, { method: 'POST', body: new URLSearchParams(fields) })).text()
      expect(await said({ username: 'root admin', name: 'Root', password: PASSWORD })).toContain(
        REFUSALS['username-invalid'].say,
      )
      expect(await said({ username: 'root', name: '', password: PASSWORD })).toContain(REFUSALS['name-invalid'].say)
      expect(await said({ username: 'root', name: 'Root', mail: 'root', password: PASSWORD })).toContain(
        REFUSALS['mail-invalid'].say,
      )
      expect(await said({ username: 'root', name: 'Root', password: 'short' })).toContain(REFUSALS['password-weak'].say)
      // blanks at the ends belong to a password
      const typed = ` ${PASSWORD} `
      const all = await Promise.all(Array.from({ length: 20 }, (_, i) => claim(`root${i}`, typed)))
      expect(all.filter((status) => status === 303)).toHaveLength(1)
      const { people } = fresh.server.house
      const [one, ...others] = await people.list()
      expect(others).toEqual([])
      expect(await people.verifyPassword(one!.username, typed)).not.toBe('wrong')
      expect(await claim('late', typed)).toBe(404)
      expect(await (await fetch(fresh.server.claimUrl!)).text()).toContain(REFUSALS['claim-used'].say)
    } finally {
      await fresh.close()
    }
  })
})

test('typing a name asks no directory before a password is checked, whatever cookie comes along', async () => {
  let connections = 0
  const ldap = createServer((socket) => {
    connections++
    socket.destroy()
  })
  await new Promise<void>((resolve) => ldap.listen(0, '127.0.0.1', resolve))
  const { port } = ldap.address() as { port: number }
  // time stands still: whether a directory answers is looked at now and then, and that is another question
  const fresh = await startGateway({
    clock: movableClock(),
    policies: POLICIES,
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        {
          id: 'ad',
          kind: 'ldap',
          url: `ldap://127.0.0.1:${port}`,
          insecure_plain_text: true,
          base_dn: 'dc=example',
          user_filter: '(uid={username})',
        },
      ],
    },
  })
  try {
    const browser = browserAt()
    browser.jar.set('portico-device', `${'A'.repeat(22)}.${'A'.repeat(43)}`)
    const page = await identify(browser, `${fresh.issuer}/signin`, 'nobody')
    for (let i = 0; i < 5; i++) await post(browser, page.url, { step: 'identifier', username: `nobody${i}` })
    expect(connections).toBe(0)
  } finally {
    await fresh.close()
    ldap.close()
  }
})
