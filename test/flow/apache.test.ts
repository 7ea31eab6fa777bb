/** A relying party that is not ours: Apache with mod_auth_openidc, as Debian ships it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { type Apache, redirectUri, startApache } from '../support/apache.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { typePassword } from '../support/relying-party.ts'

const ID = 'desk'
let gateway: Gateway
let apache: Apache
let bye: string

beforeAll(async () => {
  const port = await freePort()
  bye = `http://localhost:${port}/bye.html`
  gateway = await startGateway({
    policies: POLICIES,
    people: [
      { username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', mailVerified: true, groups: ['staff'] },
      { username: 'guest', name: 'Guest', groups: [] },
    ],
    apps: [
      {
        id: ID,
        name: 'Desk',
        policy: 'plain',
        audience: ['staff'],
        oidc: {
          redirect_uris: [redirectUri(port)],
          post_logout_redirect_uris: [bye],
          scopes: ['openid', 'profile', 'email'],
          backchannel_logout_uri: `${redirectUri(port)}?logout=backchannel`,
        },
      },
    ],
  })
  const { issuer, secrets } = gateway
  apache = await startApache({ port, issuer, clientId: ID, clientSecret: secrets.get(ID)! })
})
afterAll(async () => {
  await apache?.close()
  await gateway?.close()
})

const desk = () => `${apache.origin}${apache.protectedPath}`
const isSignIn = (text: string) => text.includes('name="username"')

async function atDesk() {
  const browser = createBrowser()
  const page = await typePassword(browser, await browser.open(desk()), 'sam')
  return { browser, page }
}

test('Apache sends people here and then knows who they are', async () => {
  const { page } = await atDesk()
  expect([page.status, page.url.href]).toEqual([200, desk()])
  expect(page.text).toContain('user: sam<')
  expect(page.text).toContain('name: Sam de Vries<')
  expect(page.text).toContain('acr: any<')
  // it warns about http, and of nothing else
  const complaints = apache
    .log()
    .split('\n')
    .filter((line) => /\[auth_openidc:(error|warn)\]/.test(line))
  expect(complaints.filter((line) => !line.includes('SHOULD be "https"'))).toEqual([])
})

test('it asks with PKCE: a request that was changed on the way gets no code', async () => {
  const first = await fetch(desk(), { redirect: 'manual' })
  const asked = new URL(first.headers.get('location')!)
  expect(asked.searchParams.get('code_challenge_method')).toBe('S256')
  expect(asked.searchParams.get('code_challenge')).toMatch(/^[\w-]{43}$/)
  asked.searchParams.delete('code_challenge')
  asked.searchParams.delete('code_challenge_method')
  const answer = await fetch(asked, { redirect: 'manual' })
  expect(new URL(answer.headers.get('location')!).searchParams.get('error')).toBe('invalid_request')
})

test('the second visit is silent, also when Apache has forgotten the person', async () => {
  const { browser } = await atDesk()
  expect((await browser.open(desk())).text).toContain('Sam de Vries')
  for (const name of browser.jar.keys()) if (name.startsWith('mod_auth_openidc')) browser.jar.delete(name)
  expect((await browser.open(desk())).text).toContain('Sam de Vries')
})

test('signing out at Apache ends the session here and comes back', async () => {
  const { browser } = await atDesk()
  // with the ID token of this very session: nobody is asked (RP-Initiated Logout §2)
  const page = await browser.open(`${apache.origin}/desk/oidc?logout=${encodeURIComponent(bye)}`)
  expect([page.url.href.split('?')[0], page.text.trim()]).toEqual([bye, '<h1>Bye</h1>'])
  expect(isSignIn((await browser.open(gateway.issuer)).text)).toBe(true)
  expect(isSignIn((await browser.open(desk())).text)).toBe(true)
})

test('signing out here is told to Apache, which takes our logout token (Back-Channel Logout §2.6)', async () => {
  const { browser } = await atDesk()
  const asked = await browser.open(`${gateway.issuer}/signout`)
  await browser.submit(formOf(asked, 'sign-out'), { answer: 'allow' })
  await gateway.server.tick()
  await expect.poll(() => gateway.server.house.outbox.pending()).toBe(0)
  const delivered = await gateway.server.house.audit.search({ event: 'logout-delivered', app: ID })
  expect(delivered.length).toBeGreaterThan(0)
  // Apache's own cookie is still there, and worth nothing
  expect([...browser.jar.keys()].some((name) => name.startsWith('mod_auth_openidc'))).toBe(true)
  expect(isSignIn((await browser.open(desk())).text)).toBe(true)
})

test('somebody whom the policy refuses comes back with a no, and gets no page', async () => {
  const browser = createBrowser()
  const refused = await typePassword(browser, await browser.open(desk()), 'guest')
  expect(refused.status).toBe(403)
  const back = /href="(\/signin\/[^"]*back)"/.exec(refused.text)![1]!.replaceAll('&amp;', '&')
  const page = await browser.open(`${gateway.issuer}${back}`)
  expect(page.url.href.split('?')[0]).toBe(`${apache.origin}/desk/oidc`)
  // RFC 9207 §2 wants `iss` with a refusal too; this version of the module takes it for the start of a sign-in
  expect(Object.fromEntries(page.url.searchParams)).toMatchObject({ error: 'access_denied', iss: gateway.issuer })
  expect(page.text).toContain('<title>Error</title>')
  expect((await browser.open(desk())).text).not.toContain('user:')
})
