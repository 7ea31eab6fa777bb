/**
 * One shift at a till: one sign-in opens an app of each kind without another question, one sign-out closes them all, and the one
 * that takes no sign-outs is named. Apache's modules, nginx and Caddy, in a real browser.
 */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { readAppMetadata } from '#protocol/saml'
import { fill } from '../../src/pages/words.ts'
import { type Apache, redirectUri, startApache } from '../support/apache.ts'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { type Mellon, startMellon } from '../support/mellon.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { type EchoApp, printedSnippet, type RunningProxy, startEchoApp, startProxy } from '../support/proxies.ts'

const en = messagesFor('en')
/** Each app, and what its own page says to somebody who is in. */
const KNOWS = { desk: 'user: sam', papers: 'MELLON_NAME_ID: _', wiki: '"url":"/"', tills: '"url":"/"' } as const
type Name = keyof typeof KNOWS
const NAMES = Object.keys(KNOWS) as Name[]
/** The proxies in front of those that know no protocol. */
const PROXIES = { wiki: 'nginx', tills: 'caddy' } as const

let gateway: Gateway
let echo: EchoApp
let apache: Apache
let mellon: Mellon
let deaf: Apache
let chromium: Chromium
const proxies: RunningProxy[] = []
const at = new Map<Name | 'board', string>()

beforeAll(async () => {
  echo = await startEchoApp()
  const [deskPort, boardPort, papersPort, wikiPort, tillsPort] = await Promise.all(
    [1, 2, 3, 4, 5].map(() => freePort()),
  )
  const about = { policy: 'plain', audience: ['staff'] }
  const oidc = (port: number) => ({ redirect_uris: [redirectUri(port)], scopes: ['openid', 'profile', 'email'] })
  const behind = (id: 'wiki' | 'tills', port: number) => ({
    ...{ id, name: id, ...about },
    forward_auth: { hosts: [`${id}.localhost:${port}`], upstream: `http://127.0.0.1:${echo.port}` },
  })
  gateway = await startGateway({
    policies: POLICIES,
    settings: { proxies: ['127.0.0.1'] },
    people: [{ username: 'sam', name: 'Sam de Vries', groups: ['staff'] }],
    apps: [
      {
        ...{ id: 'desk', name: 'Customer desk', ...about },
        oidc: { ...oidc(deskPort!), backchannel_logout_uri: `${redirectUri(deskPort!)}?logout=backchannel` },
      },
      { id: 'board', name: 'Notice board', ...about, oidc: oidc(boardPort!) },
      behind('wiki', wikiPort!),
      behind('tills', tillsPort!),
    ] as never,
  })
  const { issuer, secrets } = gateway
  const party = (id: string, port: number) =>
    startApache({ port, issuer, clientId: id, clientSecret: secrets.get(id)! })
  ;[apache, deaf, chromium] = await Promise.all([party('desk', deskPort!), party('board', boardPort!), startChromium()])
  const idpMetadata = await (await fetch(`${issuer}/saml/metadata`)).text()
  mellon = await startMellon({ port: papersPort!, idpMetadata })
  const saml = readAppMetadata(await (await fetch(mellon.metadataUrl)).text(), Date.now())
  const { apps } = gateway.server.house.catalog
  await apps.register({ id: 'papers', name: 'Papers', ...about, saml: saml as never }, 'test')
  const ports = { wiki: wikiPort!, tills: tillsPort! }
  for (const id of ['wiki', 'tills'] as const) {
    proxies.push(await startProxy(PROXIES[id], ports[id], await printedSnippet(gateway, id, PROXIES[id])))
    at.set(id, `http://${id}.localhost:${ports[id]}/`)
  }
  at.set('desk', apache.origin + apache.protectedPath)
  at.set('board', deaf.origin + deaf.protectedPath)
  at.set('papers', mellon.origin + mellon.protectedPath)
}, 120_000)
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  for (const proxy of proxies) await proxy.close()
  await Promise.all([apache?.close(), deaf?.close(), mellon?.close()])
  await gateway?.close()
  await echo?.close()
})

async function signIn(tab: Page): Promise<void> {
  await tab.fill('[name=username]', 'sam')
  await tab.click('button.main')
  await tab.fill('[name=password]', PASSWORD)
  await tab.click('button.main')
}

/** Opens the app; it must say by itself that it knows who is there, and nobody may have been asked on the way. */
async function expectIn(tab: Page, name: Name | 'board'): Promise<void> {
  const asked: string[] = []
  const listen = (frame: { url(): string }) => asked.push(new URL(frame.url()).pathname)
  tab.on('framenavigated', listen)
  await tab.goto(at.get(name)!)
  await tab.waitForURL(at.get(name)!)
  tab.off('framenavigated', listen)
  expect(await tab.textContent('body'), name).toContain(name === 'board' ? KNOWS.desk : KNOWS[name])
  expect(
    asked.filter((path) => path.startsWith('/signin')),
    name,
  ).toEqual([])
}

async function expectOut(tab: Page, name: Name): Promise<void> {
  await tab.goto(at.get(name)!)
  await tab.locator('[name=username]').waitFor()
  expect(new URL(tab.url()).origin, name).toBe(gateway.issuer)
}

test('one sign-in opens an app of every kind, and one sign-out closes them, by their own answers', async () => {
  const tab = await chromium.tab()
  await tab.goto(at.get('desk')!)
  await signIn(tab)
  await tab.waitForURL(at.get('desk')!)
  for (const name of NAMES) await expectIn(tab, name)

  await tab.goto(`${gateway.issuer}/signout`)
  await tab.getByRole('button', { name: en.signOut.submit }).click()
  await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
  await tab.getByText(en.signedOut.all).waitFor()
  for (const name of NAMES) await expectOut(tab, name)
  expect(chromium.troubles).toEqual([])
}, 90_000)

test('the one that takes no sign-outs is named, and the others are closed all the same', async () => {
  const tab = await chromium.tab()
  await tab.goto(at.get('board')!)
  await signIn(tab)
  await tab.waitForURL(at.get('board')!)
  for (const name of NAMES) await expectIn(tab, name)

  await tab.goto(`${gateway.issuer}/signout`)
  await tab.getByRole('button', { name: en.signOut.submit }).click()
  await tab.getByText(fill(en.signedOut.counted, { confirmed: '4', total: '5' })).waitFor()
  const told = (await tab.textContent('main'))!
  expect(told).toContain('Notice board')
  expect(told).toContain(en.signedOut.states.deaf)
  for (const other of ['Customer desk', 'Papers', 'wiki', 'tills']) expect(told).not.toContain(other)
  for (const name of NAMES) await expectOut(tab, name)
}, 90_000)
