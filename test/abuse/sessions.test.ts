/** Sessions: not fixed, not kept alive, not mixed up, and not used from another site. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { formOf } from '../../demo/browser.ts'
import { openHouse } from '../../src/house.ts'
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
  PROXIED,
  post,
  stepOf,
} from './people.ts'

let gateway: Gateway
const clock = movableClock()
let people = 0

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: POLICIES,
    apps: [anApp('web', 'plain'), anApp('strict', 'strict'), anApp('theirs', 'plain', { first_party: false })],
  })
})
afterAll(() => gateway.close())

async function somebody() {
  const username = `person${++people}`
  const { people: directory } = gateway.server.house
  const { id } = await directory.add(
    { username, name: `Name of ${username}`, groups: ['staff'], password: PASSWORD },
    'test',
  )
  return { username, id }
}
const signIn = async (browser: Browser, username: string, app = 'web') =>
  typePassword(browser, await browser.open(appAddress(gateway, app)), username)
/** What a cookie value opens: the account page, or nothing. */
async function opens(cookie: string): Promise<boolean> {
  const response = await fetch(`${gateway.issuer}/account`, {
    redirect: 'manual',
    headers: { cookie: `portico-session=${cookie}` },
  })
  return response.status === 200
}
const exchange = async (callback: URL, app = 'web') => {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${gateway.secrets.get(app)}`)}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code')!,
      redirect_uri: 'http://localhost:9/callback',
    }),
  })
  return (await response.json()) as { access_token: string; id_token: string }
}
const userinfo = (token: string) =>
  fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })
const subjectOf = (idToken: string) => JSON.parse(Buffer.from(idToken.split('.')[1]!, 'base64url').toString()).sub

describe('fixation', () => {
  test('a session planted before the sign-in is not the session afterwards', async () => {
    const [thief, victim] = [await somebody(), await somebody()]
    const thiefs = browserAt()
    await signIn(thiefs, thief.username)
    const planted = thiefs.jar.get('portico-session')!
    // the victim's browser carries what the thief put there: the whole jar
    const victims = browserAt()
    for (const [name, value] of thiefs.jar) victims.jar.set(name, value)
    const page = await victims.open(appAddress(gateway, 'strict'))
    await victims.open(`${page.url.href}&somebody-else`)
    await typePassword(victims, await victims.open(page.url.href), victim.username)
    expect(victims.jar.get('portico-session')).not.toBe(planted)
    expect(await opens(planted)).toBe(false)
    const { text } = await thiefs.open(`${gateway.issuer}/account`)
    expect(text).not.toContain(`Name of ${victim.username}`)
  })

  test.each(['x', '__proto__', `${'A'.repeat(22)}.${'A'.repeat(43)}`])(
    'a made-up cookie %j is not taken over',
    async (made) => {
      const { username } = await somebody()
      const browser = browserAt()
      browser.jar.set('portico-session', made)
      expect(atCallback(await signIn(browser, username))).toBe(true)
      expect(browser.jar.get('portico-session')).not.toBe(made)
      expect(await opens(made)).toBe(false)
    },
  )

  test('the cookie changes when a second factor is given, and the one before opens nothing', async () => {
    const { username, id } = await somebody()
    const secret = await giveTotp(gateway, id, clock.now())
    clock.at += 30_000
    const browser = browserAt()
    const page = await signIn(browser, username, 'strict')
    const before = browser.jar.get('portico-session')!
    expect(await opens(before)).toBe(true)
    await browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.now()) })
    const after = browser.jar.get('portico-session')!
    expect(after).not.toBe(before)
    expect(await opens(after)).toBe(true)
    expect(await opens(before)).toBe(false)
  })
})

describe('a session that is over', () => {
  test('opens nothing after the person signed out', async () => {
    const browser = browserAt()
    const callback = await signIn(browser, (await somebody()).username)
    const { access_token } = await exchange(callback.url)
    expect((await userinfo(access_token)).status).toBe(200)
    const cookie = browser.jar.get('portico-session')!
    const page = await browser.open(`${gateway.issuer}/signout`)
    await browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })
    expect(browser.jar.has('portico-session')).toBe(false)
    expect(await opens(cookie)).toBe(false)
    // silently neither, and what the app was given is over as well
    browser.jar.set('portico-session', cookie)
    expect(atCallback(await browser.open(appAddress(gateway, 'web')))).toBe(false)
    expect((await userinfo(access_token)).status).toBe(401)
  })

  test('opens nothing after the person was switched off, in whatever they were doing', async () => {
    const { username, id } = await somebody()
    const browser = browserAt()
    const callback = await signIn(browser, username)
    const cookie = browser.jar.get('portico-session')!
    // at the password page in another browser; with a code that is not exchanged yet
    const half = browserAt()
    const asked = await identify(half, appAddress(gateway, 'web'), username)
    await gateway.server.house.people.disable(id, 'test')
    expect(await opens(cookie)).toBe(false)
    expect((await exchange(callback.url)).access_token).toBeUndefined()
    const answer = await half.submit(formOf(asked, 'password'), { password: PASSWORD })
    expect(answer.status).toBe(400)
    expect(half.jar.has('portico-session')).toBe(false)
  })

  test('is not begun with a password that was changed while it was checked', async () => {
    const { people: directory, sessions } = gateway.server.house
    const { settings } = loadSettings(join(gateway.folder, 'portico.yaml'), {})
    // another process on the same database, with a queue of its own for hashes
    const other = await openHouse({ settings: settings!, folder: gateway.folder, clock, log: silentLog })
    const one = await somebody()
    const browser = browserAt()
    const page = await identify(browser, appAddress(gateway, 'web'), one.username)
    const line = Array.from({ length: 40 }, () => directory.verifyPassword('nobody', PASSWORD))
    const inLine = () => {
      const { done, running, waiting } = directory.load()
      return done + running + waiting
    }
    const before = inLine()
    const sent = browser.submit(formOf(page, 'password'), { password: PASSWORD })
    // the old password has been read and stands in line
    while (inLine() === before) await new Promise((resolve) => setImmediate(resolve))
    clock.at += 1
    await other.people.setPassword(one.id, 'another lamp post in the rain', 'test')
    expect(directory.load().waiting).toBeGreaterThan(0)
    await Promise.all([sent, ...line])
    expect(await sessions.ofPerson(one.id)).toEqual([])
    await other.close()
  })

  test('opens nothing elsewhere after the password was changed', async () => {
    const { username } = await somebody()
    const [here, there] = [browserAt(), browserAt()]
    await signIn(here, username)
    await signIn(there, username)
    const [copy, other] = [here.jar.get('portico-session')!, there.jar.get('portico-session')!]
    const page = await here.open(`${gateway.issuer}/account/password`)
    const fields = { current: PASSWORD, password: 'another lamp post in the rain' }
    await here.submit(formOf(page, 'change-password'), fields)
    expect(await opens(here.jar.get('portico-session')!)).toBe(true)
    expect(await opens(other)).toBe(false)
    expect(await opens(copy)).toBe(false)
  })

  test('opens nothing after its time, without anybody having swept', async () => {
    const browser = browserAt()
    await signIn(browser, (await somebody()).username)
    const cookie = browser.jar.get('portico-session')!
    clock.at += 13 * 3_600_000
    expect(await opens(cookie)).toBe(false)
    clock.at = Date.now()
  })
})

describe('two people in one browser', () => {
  test('the second one ends the session of the first, and sees nothing of theirs', async () => {
    const [first, second] = [await somebody(), await somebody()]
    const browser = browserAt()
    const firsts = await exchange((await signIn(browser, first.username)).url)
    const cookie = browser.jar.get('portico-session')!
    // the first one had begun to agree to something
    const consent = await browser.open(appAddress(gateway, 'theirs'))
    expect(stepOf(consent)).toBe('consent')

    const started = await browser.open(`${gateway.issuer}/account/totp/new`)
    const secretOf = (text: string) => /secret=([A-Z2-7]{32})/.exec(text.replaceAll('&amp;', '&'))?.[1]
    const begun = secretOf(started.text)

    const page = await browser.open(`${consent.url.href}&somebody-else`)
    const asked = await typePassword(browser, page, second.username)
    expect(await opens(cookie)).toBe(false)
    expect((await userinfo(firsts.access_token)).status).toBe(401)
    // the second one is asked for themself
    expect(stepOf(asked)).toBe('consent')
    expect(asked.text).toContain(second.username)
    expect(asked.text).not.toContain(first.username)
    const account = await browser.open(`${gateway.issuer}/account`)
    expect(account.text).toContain(`Name of ${second.username}`)
    expect(account.text).not.toContain(first.username)
    const { id_token } = await exchange((await browser.open(appAddress(gateway, 'web'))).url)
    expect(subjectOf(firsts.id_token)).toBe(first.id)
    expect(subjectOf(id_token)).toBe(second.id)
    // and does not go on with an authenticator app that the first one was adding
    const added = await browser.open(`${gateway.issuer}/account/totp/new`)
    expect(secretOf(added.text)).toBeDefined()
    expect(secretOf(added.text)).not.toBe(begun)
  })

  test('a consent that the first one gave in another tab does not become the second one’s', async () => {
    const [first, second] = [await somebody(), await somebody()]
    const browser = browserAt()
    await signIn(browser, first.username)
    const form = formOf(await browser.open(appAddress(gateway, 'theirs')), 'consent')
    const { location } = await post(browser, form.action, { ...Object.fromEntries(form.fields), answer: 'allow' })
    const began = browser.jar.get('portico-resume')!
    const other = await browser.open(appAddress(gateway, 'strict'))
    await typePassword(browser, await browser.open(`${other.url.href}&somebody-else`), second.username)
    // a real browser keeps one for each path
    browser.jar.set('portico-resume', began)
    const page = await browser.open(`${gateway.issuer}${location}`)
    expect(atCallback(page)).toBe(false)
    expect(stepOf(page)).toBe('consent')
  })
})

describe('the Back button', () => {
  test('an old form does nothing once somebody is signed in', async () => {
    const [one, other] = [await somebody(), await somebody()]
    const browser = browserAt()
    const name = await browser.open(appAddress(gateway, 'strict'))
    const password = await browser.submit(formOf(name, 'identifier'), { username: one.username })
    const next = await browser.submit(formOf(password, 'password'), { password: PASSWORD })
    expect(stepOf(next)).toBe('enrol-choice')
    const cookie = browser.jar.get('portico-session')!
    for (const [page, step, fields] of [
      [name, 'identifier', { username: other.username }],
      [password, 'password', { password: PASSWORD }],
      [password, 'password', { password: 'wrong' }],
    ] as const) {
      const shown = await browser.submit(formOf(page, step), fields as Record<string, string>)
      expect(stepOf(shown)).toBe('enrol-choice')
      expect(browser.jar.get('portico-session')).toBe(cookie)
    }
    expect(await gateway.server.house.sessions.ofPerson(other.id)).toEqual([])
  })

  test('a form of a conversation that is over starts nothing', async () => {
    const { username } = await somebody()
    const browser = browserAt()
    const name = await browser.open(appAddress(gateway, 'web'))
    const password = await browser.submit(formOf(name, 'identifier'), { username })
    expect(atCallback(await browser.submit(formOf(password, 'password'), { password: PASSWORD }))).toBe(true)
    const again = await browser.submit(formOf(password, 'password'), { password: PASSWORD })
    expect(again.status).toBe(400)
    expect(atCallback(again)).toBe(false)
  })

  test('after a sign-out it shows nothing that was stored', async () => {
    const browser = browserAt()
    await signIn(browser, (await somebody()).username)
    for (const path of ['/', '/account', '/account/totp/new']) {
      const response = await fetch(`${gateway.issuer}${path}`, { headers: { cookie: cookiesOf(browser) } })
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
    const out = await fetch(`${gateway.issuer}/signout`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: cookiesOf(browser) },
      body: new URLSearchParams({ answer: 'allow' }),
    })
    expect(out.headers.get('clear-site-data')).toContain('"cache"')
  })
})

describe('a form of another site', () => {
  const FORMS: readonly (readonly [path: string, fields: Record<string, string>])[] = [
    ['/signout', { step: 'sign-out', answer: 'allow' }],
    ['/account/totp/new', { step: 'enrol-totp', code: '000000' }],
    ['/account/passkeys/new', { step: 'enrol-passkey', credential: '{}' }],
    ['/account/recovery-codes/new', {}],
    ['/account/recovery-codes/stored', {}],
    ['/account/password', { step: 'change-password', current: PASSWORD, password: 'a password of the thief' }],
    ['/account/factors/password/remove', {}],
    ['/account/sessions/end-others', {}],
    ['/account/sessions/end-all', {}],
    ['/account/sessions/x/end', {}],
    ['/account/devices/x/forget', {}],
    ['/account/consents/web/withdraw', {}],
    ['/confirmations/x', { answer: 'allow' }],
    ['/signin/aaaaaaaaaaaaaaaaaaaaaa', { step: 'identifier', username: 'thief' }],
    ['/device', { step: 'enrol-device', code: '0000-0000-0000' }],
    ['/claim/aaaaaaaa', { username: 'thief', name: 'Thief', password: PASSWORD }],
  ]
  const SITES: readonly Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost' },
    { origin: 'http://localhost.evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: 'OURS' },
  ]

  test('every form that there is stands in this table', async () => {
    const { readFileSync } = await import('node:fs')
    const source = ['account/open.ts', 'signin/open.ts', 'claim.ts']
      .map((file) => readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8'))
      .join('\n')
    const paths = new Set<string>()
    for (const [, path = ''] of source.matchAll(/(?:form|button)\('([^']+)'/g)) paths.add(path)
    for (const [, path = ''] of source.matchAll(/method: 'POST',\s*path: '([^']+)'/g)) paths.add(path)
    // those two take what other providers have a browser post, or post themselves: `upstream-oidc.test.ts` attacks them
    for (const path of ['/signin/back/:directory', '/signin/back/:directory/logout'])
      expect(paths.delete(path)).toBe(true)
    const asPattern = (path: string) => new RegExp(`^${path.replace(/:\w+/g, '[\\w-]+')}$`)
    expect(paths.size).toBeGreaterThan(8)
    for (const path of paths)
      expect(
        FORMS.some(([one]) => asPattern(path).test(one)),
        path,
      ).toBe(true)
  })

  test.each(FORMS)('%s is refused before anything is looked at', async (path, fields) => {
    const { username, id } = await somebody()
    const browser = browserAt()
    await signIn(browser, username)
    const { sessions, factors, people: directory } = gateway.server.house
    await sessions.start({ personId: id, proofs: [], address: '127.0.0.1' })
    for (const site of SITES) {
      const headers = Object.fromEntries(
        Object.entries(site).map(([name, value]) => [name, value === 'OURS' ? gateway.issuer : value]),
      )
      const answer = await post(browser, `${gateway.issuer}${path}`, fields, headers)
      expect(answer.status, JSON.stringify(site)).toBe(403)
      expect(answer.location).toBe('')
    }
    expect(await sessions.ofPerson(id)).toHaveLength(2)
    expect((await factors.enrolled(id)).map(({ kind }) => kind)).toEqual(['password'])
    expect(await directory.verifyPassword(username, PASSWORD)).not.toBe('wrong')
  })

  test('the forms of the protocol carry a secret of the session', async () => {
    const { username, id } = await somebody()
    const browser = browserAt()
    await signIn(browser, username)
    // the page was opened, so there is something to confirm; the other site cannot read its secret
    await browser.open(`${gateway.issuer}/oauth2/session/end`)
    for (const [path, fields] of [
      ['/oauth2/session/end/confirm', { logout: 'yes' }],
      ['/oauth2/session/end/confirm', { logout: 'yes', xsrf: '' }],
      ['/oauth2/session/end/confirm', { logout: 'yes', xsrf: 'a'.repeat(48) }],
      ['/oauth2/device', { user_code: 'BCDF-GHJK', confirm: 'yes' }],
    ] as const) {
      const answer = await post(browser, `${gateway.issuer}${path}`, fields as Record<string, string>)
      expect(answer.status).toBe(400)
    }
    expect(await gateway.server.house.sessions.ofPerson(id)).toHaveLength(1)
  })

  test('no page of ours stands in a frame of anybody', async () => {
    const browser = browserAt()
    await signIn(browser, (await somebody()).username)
    for (const path of [
      '/',
      '/account',
      '/signout',
      '/signin/aaaaaaaaaaaaaaaaaaaaaa',
      '/oauth2/device',
      '/oauth2/session/end',
    ]) {
      const { headers } = await fetch(`${gateway.issuer}${path}`, { headers: { cookie: cookiesOf(browser) } })
      expect(headers.get('content-security-policy'), path).toContain("frame-ancestors 'none'")
    }
  })

  test('no page of ours is read by another site', async () => {
    const browser = browserAt()
    await signIn(browser, (await somebody()).username)
    for (const path of ['/', '/account', '/signin', '/oauth2/auth', '/oauth2/device', '/oauth2/session/end']) {
      const { headers } = await fetch(`${gateway.issuer}${path}`, {
        redirect: 'manual',
        headers: { cookie: cookiesOf(browser), origin: 'https://evil.example' },
      })
      expect(headers.get('access-control-allow-origin'), path).toBeNull()
      expect(headers.get('access-control-allow-credentials'), path).toBeNull()
    }
    // those that any page may read carry nobody's cookies
    for (const path of ['/oauth2/userinfo', '/oauth2/jwks', '/.well-known/openid-configuration']) {
      const { headers } = await fetch(`${gateway.issuer}${path}`, { headers: { origin: 'https://evil.example' } })
      expect(headers.get('access-control-allow-credentials'), path).toBeNull()
    }
  })
})
