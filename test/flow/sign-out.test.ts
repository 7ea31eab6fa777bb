/** One sign-out for all apps: what the person sees, what apps hear, and what an app may ask for. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { formOf, type Page } from '../../demo/browser.ts'
import { signedToken } from '../../src/protocol/oidc/signed-token.ts'
import { anApp, appAddress, browserAt, cookiesOf, movableClock, PROXIED, post } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'

const en = messagesFor('en')
const clock = movableClock()
let gateway: Gateway
let told: ListeningApp
let people = 0

const app = (id: string, oidc: object = {}, more: object = {}) =>
  anApp(id, 'plain', {
    launch_url: 'https://launch.example/',
    ...more,
    oidc: {
      redirect_uris: [CALLBACK, `${told.origin}/callback`],
      post_logout_redirect_uris: [`${CALLBACK}/bye`],
      scopes: ['openid'],
      pkce: 'optional',
      ...oidc,
    },
  })

beforeAll(async () => {
  told = await startListeningApp(() => gateway.issuer)
  const back = (path: string) => ({ backchannel_logout_uri: `${told.origin}/${path}` })
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: POLICIES,
    apps: [
      app('told', back('told')),
      app('strict', { ...back('strict'), backchannel_logout_session_required: true }),
      app('ec', { ...back('ec'), id_token_signed_response_alg: 'ES256' }),
      app('framed', {
        frontchannel_logout_uri: `${told.origin}/front?a=b`,
        frontchannel_logout_session_required: true,
      }),
      app('deaf'),
      app('plain'),
      app('two', {}, { policy: 'strict' }),
    ],
  })
})
beforeEach(() => {
  told.heard.length = 0
  told.loaded.length = 0
  told.answer = 200
})
afterAll(async () => {
  await gateway?.close()
  await told?.close()
})

async function somebody(apps: readonly string[]): Promise<{ id: string; username: string; browser: Browser }> {
  const username = `person${++people}`
  const add = { username, name: `Name of ${username}`, groups: ['staff'], password: PASSWORD }
  const { id } = await gateway.server.house.people.add(add, 'test')
  const browser = browserAt()
  for (const [i, one] of apps.entries()) {
    const page = await browser.open(appAddress(gateway, one))
    if (i === 0) await typePassword(browser, page, username)
  }
  return { id, username, browser }
}
const sessionOf = async (id: string) => (await gateway.server.house.sessions.ofPerson(id))[0]
async function signOut(browser: Browser): Promise<Page> {
  const page = await browser.open(`${gateway.issuer}/signout`)
  return browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })
}
const framesOf = ({ text }: Page): URL[] =>
  [...text.matchAll(/<iframe [^>]*src="([^"]+)"/g)].map(([, src]) => new URL(src!.replaceAll('&amp;', '&')))
/** The browser's own look: with its headers. */
const look = (browser: Browser, path: string) =>
  fetch(`${gateway.issuer}${path}`, {
    headers: { cookie: cookiesOf(browser), accept: 'text/html' },
    redirect: 'manual',
  })

describe('the page after a sign-out', () => {
  test('says how many apps have confirmed, names the others with what to do, and nothing of the person', async () => {
    const { browser, username, id } = await somebody(['told', 'strict', 'framed', 'deaf'])
    const { apps } = (await sessionOf(id))!
    const page = await signOut(browser)
    expect(page.url.pathname).toMatch(/^\/signed-out\/[\w-]{22}$/)
    expect(page.text).toContain(en.signedOut.title)
    expect(page.text).toContain('2 of 4 apps confirmed')
    for (const said of ['App framed', en.signedOut.states.asked, 'App deaf', en.signedOut.states.deaf])
      expect(page.text).toContain(said)
    expect(page.text).toContain('href="https://launch.example/"')
    for (const hidden of [username, `Name of ${username}`, id, 'App told']) expect(page.text).not.toContain(hidden)
    // Back-Channel Logout §2.4
    expect(told.heard.map(({ path }) => path).sort()).toEqual(['/strict', '/told'])
    for (const { header, claims, path } of told.heard) {
      expect(header).toMatchObject({ typ: 'logout+jwt', alg: 'RS256', kid: expect.any(String) })
      expect(claims).toEqual({
        iss: gateway.issuer,
        sub: id,
        aud: path.slice(1),
        iat: Math.floor(clock.now() / 1000),
        exp: Math.floor(clock.now() / 1000) + 120,
        jti: expect.stringMatching(/^[\w-]{22}$/),
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        sid: apps.find((one) => one.app === path.slice(1))!.sid,
      })
    }
    // Front-Channel Logout §2
    const [frame, ...more] = framesOf(page)
    expect(more).toEqual([])
    expect(Object.fromEntries(frame!.searchParams)).toEqual({
      a: 'b',
      iss: gateway.issuer,
      sid: apps.find((one) => one.app === 'framed')!.sid,
    })
  })

  test('its frames come from the origins of apps and nowhere else, without referrer, and cannot take the page away', async () => {
    const { browser } = await somebody(['framed', 'deaf'])
    const { url } = await signOut(browser)
    const { headers, text } = await look(browser, url.pathname).then(async (a) => ({
      headers: a.headers,
      text: await a.text(),
    }))
    // looked at once more when they have loaded, without them
    expect(headers.get('refresh')).toBe(`4;url=${url.pathname}?again`)
    const again = await look(browser, `${url.pathname}?again`)
    expect([again.headers.get('refresh'), (await again.text()).includes('<iframe')]).toEqual([null, false])
    expect(headers.get('content-security-policy')).toMatch(new RegExp(`frame-src 'self' ${told.origin};`))
    expect(text).toMatch(
      /<iframe hidden [^>]*sandbox="allow-scripts allow-same-origin allow-forms" referrerpolicy="no-referrer"/,
    )
  })

  test('an app that does not answer is waited for at most two seconds, then looked at again, and named after a minute', async () => {
    told.answer = undefined
    const { browser } = await somebody(['told', 'deaf'])
    const page = await signOut(browser)
    expect(page.text).toContain('0 of 2 apps confirmed')
    expect(page.text).toContain(en.signedOut.states.waiting)
    const { pathname } = page.url
    expect((await look(browser, pathname)).headers.get('refresh')).toBe(`2;url=${pathname}?again`)
    clock.at += 61_000
    const late = await look(browser, `${pathname}?again`)
    expect(late.headers.get('refresh')).toBeNull()
    expect(await late.text()).toContain(en.signedOut.states.unreached)
    // it has come to itself meanwhile
    told.answer = 204
    clock.at += 180_000
    await expect
      .poll(
        async () => {
          await gateway.server.tick()
          return (await look(browser, `${pathname}?again`)).text()
        },
        { timeout: 60_000 },
      )
      .toContain('1 of 2 apps confirmed')
    // each try with an id of its own: to an app that took the first one the second is no replay
    const ids = told.heard.map(({ claims }) => claims.jti)
    expect(ids.length).toBeGreaterThan(1)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('an app that says 400 is not asked again, and named', async () => {
    told.answer = 400
    const { browser } = await somebody(['told'])
    const page = await signOut(browser)
    expect((await look(browser, page.url.pathname)).headers.get('refresh')).toBeNull()
    expect(page.text).toContain(en.signedOut.states.refused)
    expect(await gateway.server.house.outbox.pending()).toBe(0)
  })

  test.each([500, 503, 302, 404, 0])(
    'an app that says %d is told again, without being followed anywhere',
    async (status) => {
      told.answer = status
      const { browser } = await somebody(['told'])
      await signOut(browser)
      const first = told.heard.length
      expect(await gateway.server.house.outbox.pending()).toBe(1)
      told.answer = 204
      clock.at += 31_000
      await expect
        .poll(async () => {
          await gateway.server.tick()
          return gateway.server.house.outbox.pending()
        })
        .toBe(0)
      expect(told.heard.length).toBe(first + 1)
    },
  )

  test('is signed as the app wants it', async () => {
    const { browser } = await somebody(['ec'])
    await signOut(browser)
    expect(told.heard[0]!.header).toMatchObject({ alg: 'ES256', typ: 'logout+jwt' })
  })

  test('belongs to the browser: with another one, without its cookie, and after ten minutes there is only that somebody is out', async () => {
    const { browser } = await somebody(['told', 'framed', 'deaf'])
    const { url } = await signOut(browser)
    const other = await somebody(['told', 'deaf'])
    await signOut(other.browser)
    for (const visitor of [browserAt(), other.browser]) {
      const answer = await look(visitor, url.pathname)
      expect(answer.status).toBe(200)
      const text = await answer.text()
      expect(text).toContain(en.signedOut.title)
      for (const hidden of ['App ', '<iframe', 'confirmed']) expect(text).not.toContain(hidden)
    }
    expect(await (await look(browser, url.pathname)).text()).toContain('App deaf')
    clock.at += 601_000
    expect(await (await look(browser, url.pathname)).text()).not.toContain('App deaf')
  })

  test('is over when the next person signs in here', async () => {
    const first = await somebody(['told', 'deaf'])
    const { url } = await signOut(first.browser)
    expect(first.browser.jar.has('portico-left')).toBe(true)
    const next = await somebody([])
    await typePassword(first.browser, await first.browser.open(appAddress(gateway, 'plain')), next.username)
    expect(first.browser.jar.has('portico-left')).toBe(false)
    expect((await first.browser.open(url.href)).text).not.toContain('App deaf')
  })

  test('its cookie opens nothing', async () => {
    const { browser } = await somebody(['told'])
    await signOut(browser)
    browser.jar.set('portico-session', browser.jar.get('portico-left')!)
    expect((await look(browser, '/account')).status).toBe(303)
    expect((await browser.open(appAddress(gateway, 'told'))).text).toContain('name="username"')
  })
})

describe('a session that ended without its browser', () => {
  test('is told by the next page for signing in that this very browser sees, for a day', async () => {
    const { browser, id } = await somebody(['framed', 'told'])
    const { apps } = (await sessionOf(id))!
    await gateway.server.house.sessions.endAll(id, 'ended-by-administrator', 'cli')
    const page = await browser.open(appAddress(gateway, 'plain'))
    expect(page.text).toContain('name="username"')
    expect(framesOf(page).map((one) => one.searchParams.get('sid'))).toEqual([
      apps.find((one) => one.app === 'framed')!.sid,
    ])
    // so does the page for signing out, which takes the cookie away
    expect(framesOf(await browser.open(`${gateway.issuer}/signout`))).toHaveLength(1)
    expect(browser.jar.has('portico-session')).toBe(false)
  })

  test('also where it merely expired and nobody has swept, and not when it is long ago', async () => {
    const { browser } = await somebody(['framed'])
    clock.at += 13 * 3_600_000
    expect(framesOf(await browser.open(appAddress(gateway, 'plain')))).toHaveLength(1)
    await gateway.server.tick()
    expect(framesOf(await browser.open(appAddress(gateway, 'plain')))).toHaveLength(1)
    clock.at += 25 * 3_600_000
    expect(framesOf(await browser.open(appAddress(gateway, 'plain')))).toHaveLength(0)
    clock.at = Date.now()
  })

  test('is told to nobody who has not its secret: not by its id, and not while it lives', async () => {
    const { browser, id } = await somebody(['framed'])
    const session = (await sessionOf(id))!
    const cookie = browser.jar.get('portico-session')!
    const { sessions } = gateway.server.house
    expect(await sessions.left(cookie)).toBeUndefined()
    await sessions.end(session.id, 'ended-by-administrator', 'cli')
    expect(await sessions.left(cookie)).toMatchObject({ reason: 'ended-by-administrator' })
    const stranger = browserAt()
    for (const value of [session.id, `${session.id}.${'A'.repeat(43)}`, cookie.slice(0, -1), cookie.split('.')[1]!]) {
      stranger.jar.set('portico-session', value)
      expect(framesOf(await stranger.open(appAddress(gateway, 'plain')))).toEqual([])
    }
  })

  test('is told before the browser goes on, where somebody else has taken over', async () => {
    const { browser, id } = await somebody(['framed'])
    const { apps } = (await sessionOf(id))!
    const next = await somebody([])
    const asked = await browser.open(appAddress(gateway, 'two'))
    const name = await browser.submit(formOf(await browser.open(`${asked.url.href}&somebody-else`), 'identifier'), {
      username: next.username,
    })
    const between = await browser.submit(formOf(name, 'password'), { password: PASSWORD })
    expect(between.text).toContain(en.handOver.title)
    expect(framesOf(between).map((one) => one.searchParams.get('sid'))).toEqual([apps[0]!.sid])
    const to = /<a class="main" href="([^"]+)"/.exec(between.text)![1]!
    const { text } = await browser.open(new URL(to, gateway.issuer).href)
    expect(text).toContain(en.enrolChoice.title)
    expect(framesOf({ ...between, text })).toEqual([])
  })
})

describe('RP-initiated logout', () => {
  const tokenOf = async (browser: Browser, id: string): Promise<string> => {
    const { url } = await browser.open(appAddress(gateway, id))
    const response = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}` },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: url.searchParams.get('code')!,
        redirect_uri: CALLBACK,
      }),
    })
    return ((await response.json()) as { id_token: string }).id_token
  }
  const BYE = `${CALLBACK}/bye`
  const end = (browser: Browser, parameters: Record<string, string>) =>
    browser.open(`${gateway.issuer}/oauth2/session/end?${new URLSearchParams(parameters)}`)
  const asks = ({ text }: Page) => text.includes('name="logout"')

  test('with the ID token of this session nobody is asked, and the app gets its state back', async () => {
    const { browser, id } = await somebody(['told', 'strict'])
    const hint = await tokenOf(browser, 'told')
    // §4: expired or not
    for (let i = 0; i < 8; i++) {
      clock.at += 10 * 60_000
      await browser.open(appAddress(gateway, 'told'))
    }
    const page = await end(browser, { id_token_hint: hint, post_logout_redirect_uri: BYE, state: 'a b&c' })
    expect(page.url.href.split('?')[0]).toBe(BYE)
    expect(Object.fromEntries(page.url.searchParams)).toEqual({ state: 'a b&c' })
    expect(await sessionOf(id)).toBeUndefined()
    expect(told.heard.map(({ path }) => path).sort()).toEqual(['/strict', '/told'])
    clock.at = Date.now()
  })

  test('where no app wants the browser back it sees how far the sign-out has come', async () => {
    const { browser } = await somebody(['told', 'deaf'])
    const page = await end(browser, { id_token_hint: await tokenOf(browser, 'told') })
    expect(page.url.pathname).toMatch(/^\/signed-out\//)
    expect(page.text).toContain('1 of 2 apps confirmed')
  })

  test('an app is gone back to only after the frames of others were loaded', async () => {
    const { browser } = await somebody(['told', 'framed'])
    const page = await end(browser, {
      id_token_hint: await tokenOf(browser, 'told'),
      post_logout_redirect_uri: BYE,
      state: 'x',
    })
    expect(page.url.pathname).toBe('/oauth2/session/end')
    expect(framesOf(page)).toHaveLength(1)
  })

  test('without a hint, with one of another person, of an earlier session, or of an app not opened here, it asks', async () => {
    const { browser, id } = await somebody(['told'])
    const other = await somebody(['told'])
    const theirs = await tokenOf(other.browser, 'told')
    const early = await tokenOf(browser, 'told')
    await signOut(browser)
    await typePassword(browser, await browser.open(appAddress(gateway, 'told')), `person${people - 1}`)
    const strange = await tokenOf(other.browser, 'strict')
    // what the app heard when everything of somebody ended: of no session, and the next one is not over by it
    const now = Math.floor(clock.at / 1000)
    const everything = await signedToken(
      gateway.server.house.keys.signing.signers().find(({ alg }) => alg === 'RS256')!,
      { iss: gateway.issuer, aud: 'told', sub: id, iat: now, exp: now + 120 },
      'logout+jwt',
    )
    const requests: Record<string, string>[] = [
      {},
      { client_id: 'told' },
      { client_id: 'told', logout_hint: id },
      { id_token_hint: theirs },
      { id_token_hint: early },
      { id_token_hint: everything },
      { id_token_hint: strange, post_logout_redirect_uri: BYE },
    ]
    for (const request of requests) {
      expect(asks(await end(browser, request)), JSON.stringify(Object.keys(request))).toBe(true)
      expect(await sessionOf(id)).toBeDefined()
    }
    const asked = await end(browser, { id_token_hint: theirs, post_logout_redirect_uri: BYE, state: 'y' })
    const page = await browser.submit(formOf(asked, 'sign-out'), { logout: 'yes' })
    expect(page.url.href).toBe(`${BYE}?state=y`)
    expect(await sessionOf(id)).toBeUndefined()
  })

  test('a client_id that is not the hint’s, a hint that is not ours, and an address that is not registered are refused', async () => {
    const { browser, id } = await somebody(['told'])
    const hint = await tokenOf(browser, 'told')
    const [header, claims, signature] = hint.split('.')
    for (const request of [
      { id_token_hint: hint, client_id: 'strict' },
      { id_token_hint: `${header}.${claims}.${signature!.split('').reverse().join('')}` },
      { id_token_hint: `${header}.${claims}.` },
      { id_token_hint: 'x' },
      { id_token_hint: hint, post_logout_redirect_uri: `${BYE}/` },
      { id_token_hint: hint, post_logout_redirect_uri: `${BYE}?x` },
      { id_token_hint: hint, post_logout_redirect_uri: 'https://evil.example/' },
    ]) {
      const page = await end(browser, request)
      expect([page.status, page.url.pathname]).toEqual([400, '/oauth2/session/end'])
      expect(await sessionOf(id)).toBeDefined()
    }
  })

  test('empties the browser as our own page does', async () => {
    const { browser } = await somebody(['told'])
    const query = new URLSearchParams({ id_token_hint: await tokenOf(browser, 'told') })
    const answer = await look(browser, `/oauth2/session/end?${query}`)
    expect(answer.headers.get('clear-site-data')).toBe('"cache", "storage"')
    const cookies = answer.headers.getSetCookie()
    expect(cookies.some((one) => /^portico-session=;.*Max-Age=0/.test(one))).toBe(true)
  })

  test('nobody who is signed in needs a script to get back to the app', async () => {
    const browser = browserAt()
    const page = await end(browser, { client_id: 'told', post_logout_redirect_uri: BYE, state: 'z' })
    expect(page.url.href).toBe(`${BYE}?state=z`)
    expect((await end(browser, { post_logout_redirect_uri: BYE })).text).toContain(en.signedOut.title)
    const elsewhere = await post(browser, `${gateway.issuer}/oauth2/session/end`, {
      post_logout_redirect_uri: 'https://evil.example',
    })
    expect(elsewhere.location).not.toContain('https://evil')
  })
})

test('discovery says what is supported', async () => {
  const metadata = await (await fetch(`${gateway.issuer}/.well-known/openid-configuration`)).json()
  expect(metadata).toMatchObject({
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    frontchannel_logout_supported: true,
    frontchannel_logout_session_supported: true,
  })
})
