/** A relying party that is not ours: Authlib, as Debian ships it (`authlib-app.py`). It checks every token by itself. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { startPython } from '../support/python-app.ts'
import { type Browser, typePassword } from '../support/relying-party.ts'

let gateway: Gateway
let origin: string
let stop: () => Promise<void>

beforeAll(async () => {
  const port = await freePort()
  origin = `http://localhost:${port}`
  gateway = await startGateway({
    policies: POLICIES,
    people: [
      { username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', mailVerified: true, groups: ['staff'] },
    ],
    apps: [
      {
        id: 'desk',
        name: 'Desk',
        policy: 'plain',
        audience: ['staff'],
        oidc: {
          redirect_uris: [`${origin}/callback`],
          post_logout_redirect_uris: [`${origin}/bye`],
          scopes: ['openid', 'profile', 'email'],
          grant_types: ['authorization_code', 'refresh_token'],
          pkce: 'required',
          backchannel_logout_uri: `${origin}/backchannel`,
        },
      },
    ],
  })
  stop = await startPython('authlib-app.py', [String(port), gateway.issuer, 'desk', gateway.secrets.get('desk')!])
})
afterAll(async () => {
  await stop?.()
  await gateway?.close()
})

const isSignIn = (text: string) => text.includes('name="username"')
const rooms = () => gateway.server.house
const sessions = () => rooms().sessions.ofPerson(gateway.ids.get('sam')!)
const said = async (browser: Browser, path: string) => JSON.parse((await browser.open(origin + path)).text)

async function atDesk() {
  const browser = createBrowser()
  const page = await typePassword(browser, await browser.open(`${origin}/`), 'sam')
  expect([page.url.href, page.status], page.text).toEqual([`${origin}/`, 200])
  return { browser, info: JSON.parse(page.text) }
}

test('it signs people in by a code with PKCE, and is told by ID token and userinfo who they are', async () => {
  const asked = new URL((await fetch(`${origin}/`, { redirect: 'manual' })).headers.get('location')!)
  expect(asked.searchParams.get('code_challenge_method')).toBe('S256')
  const { info } = await atDesk()
  expect(info).toMatchObject({
    sub: gateway.ids.get('sam'),
    name: 'Sam de Vries',
    preferred_username: 'sam',
    email: 'sam@kestrel.example',
    email_verified: true,
  })
})

test('it refreshes, and the ID token that comes along is of the same person and session', async () => {
  const { browser, info } = await atDesk()
  const [session] = await sessions()
  const { sid } = session!.apps.find(({ app }) => app === 'desk')!
  for (let i = 0; i < 2; i++) expect(await said(browser, '/refresh')).toEqual({ sub: info.sub, sid, changed: true })
})

test('it hears by back-channel that this session has ended, and of no other', async () => {
  const { browser } = await atDesk()
  const other = await atDesk()
  const [newest] = await sessions()
  const { signedOut, left } = await ending(newest!.id, [browser, other.browser])
  expect([signedOut, left]).toEqual([1, 1])
  const [event] = await rooms().audit.search({ app: 'desk' })
  expect(event).toMatchObject({ event: 'logout-delivered' })
})

/** How many of these the app knows no more, and how many it still does. */
async function ending(id: string, browsers: readonly Browser[]) {
  await rooms().sessions.end(id, 'ended-by-administrator', 'test')
  await gateway.server.tick()
  expect(await rooms().outbox.pending()).toBe(0)
  const known = await Promise.all(
    browsers.map(async ({ jar }) => {
      const headers = { cookie: `authlib=${jar.get('authlib')}` }
      return (await fetch(`${origin}/`, { redirect: 'manual', headers })).status === 200
    }),
  )
  return { signedOut: known.filter((one) => !one).length, left: known.filter(Boolean).length }
}

test('it hears once where everything of somebody has ended', async () => {
  const { browser } = await atDesk()
  await rooms().sessions.endAll(gateway.ids.get('sam')!, 'ended-by-administrator', 'test')
  await gateway.server.tick()
  expect(await rooms().outbox.pending()).toBe(0)
  expect((await rooms().audit.search({ app: 'desk' }))[0]).toMatchObject({ event: 'logout-delivered' })
  expect(isSignIn((await browser.open(`${origin}/`)).text)).toBe(true)
})

test('it signs somebody out here, and gets the browser back with its state', async () => {
  const { browser } = await atDesk()
  const page = await browser.open(`${origin}/logout`)
  expect([page.url.origin + page.url.pathname, JSON.parse(page.text)]).toEqual([`${origin}/bye`, { bye: ['and back'] }])
  expect(await sessions()).toEqual([])
  expect(isSignIn((await browser.open(`${origin}/`)).text)).toBe(true)
})

test.each([
  ['a token of nobody', async () => 'x.y.z'],
  ['its own ID token', async (browser: Browser) => (await browser.open(`${origin}/token`)).text],
])('%s signs nobody out there', async (_what, tokenOf) => {
  const { browser } = await atDesk()
  const logout_token = await tokenOf(browser)
  const answer = await fetch(`${origin}/backchannel`, { method: 'POST', body: new URLSearchParams({ logout_token }) })
  expect(answer.status).toBe(400)
  expect(await said(browser, '/')).toMatchObject({ name: 'Sam de Vries' })
})
