/** Apps that only a browser can tell of a sign-out over SAML, by address or by form, and one that begins it: in a real browser. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { certificatesOf, childrenOf, METADATA, readXml } from '#saml'
import { fill } from '../../src/pages/words.ts'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { signIn } from '../support/kestrel.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { POLICIES } from '../support/policies.ts'
import { type SamlListening, startSamlListening } from '../support/saml-listening.ts'
import { makeKeys } from '../support/saml-provider.ts'

const en = messagesFor('en')
const NAMES = ['asks', 'front', 'postal', 'second'] as const
type Name = (typeof NAMES)[number]
let gateway: Gateway
let chromium: Chromium
let framed: ListeningApp
const apps = new Map<Name, SamlListening>()
const app = (name: Name) => apps.get(name)!

async function certificates(): Promise<string[]> {
  const xml = await (await fetch(`${gateway.issuer}/saml/metadata`)).text()
  const [role] = childrenOf(readXml(xml, { size: 1e6, comments: 'refused' }), METADATA, 'IDPSSODescriptor')
  return certificatesOf(role!, 'signing')
}

beforeAll(async () => {
  const keys = await makeKeys()
  const issuer = () => gateway.issuer
  for (const name of NAMES) apps.set(name, await startSamlListening({ issuer, certificates, keys }))
  framed = await startListeningApp(issuer)
  const slo = (name: Name, ...bindings: string[]) =>
    bindings.map((binding) => ({ url: `${app(name).origin}/slo`, binding }))
  const about = { policy: 'plain', audience: ['*'] }
  const saml = (name: Name, ...bindings: string[]) => ({
    ...{ id: name, name: `App ${name}`, ...about },
    saml: { ...app(name).saml, slo: slo(name, ...bindings) },
  })
  const oidc = {
    redirect_uris: [`${framed.origin}/callback`],
    scopes: ['openid'],
    pkce: 'optional',
    frontchannel_logout_uri: `${framed.origin}/front`,
  }
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      saml('asks', 'redirect', 'post'),
      saml('front', 'redirect'),
      saml('postal', 'post'),
      saml('second', 'post'),
      { id: 'framed', name: 'App framed', ...about, oidc },
    ] as never,
  })
  chromium = await startChromium()
})
beforeEach(() => {
  for (const one of apps.values()) {
    one.told.length = 0
    one.answers.length = 0
    one.answer = 'post'
  }
  framed.loaded.length = 0
})
afterEach(async () => {
  await chromium.endVisits()
  const { sessions } = gateway.server.house
  await sessions.endAll(gateway.ids.get('sam')!, 'test', 'test')
})
afterAll(async () => {
  await chromium?.close()
  await gateway?.close()
  await framed?.close()
  for (const one of apps.values()) await one.close()
})

/** Somebody who has these apps open. */
async function at(...names: Name[]): Promise<Page> {
  const tab = await chromium.tab()
  for (const [i, name] of names.entries()) {
    await tab.goto(`${app(name).origin}/`)
    if (i === 0) await signIn(tab, 'sam')
    await tab.getByRole('heading', { name: 'In' }).waitFor()
  }
  return tab
}
async function openFramed(tab: Page): Promise<void> {
  const query = {
    client_id: 'framed',
    response_type: 'code',
    scope: 'openid',
    redirect_uri: `${framed.origin}/callback`,
  }
  await tab.goto(`${gateway.issuer}/oauth2/auth?${new URLSearchParams(query)}`)
  await tab.getByText('out').waitFor()
}
async function signOut(tab: Page): Promise<void> {
  await tab.goto(`${gateway.issuer}/signout`)
  await tab.getByRole('button', { name: en.signOut.submit }).click()
  await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
}
const sessionsLeft = async () => (await gateway.server.house.sessions.ofPerson(gateway.ids.get('sam')!)).length
/** What stopped a page of ours, but for this: whatever an app answers in a frame ends at a page that shows in none. */
const troubles = () => chromium.troubles.filter((one) => !/frame-ancestors|X-Frame-Options/i.test(one))

describe('apps that take sign-outs by a form only', () => {
  test('are posted a signed request each, with their own cookie, and their answers count', async () => {
    app('second').answer = 'redirect'
    const tab = await at('postal', 'second', 'front')
    await signOut(tab)
    await tab.getByText(en.signedOut.all).waitFor()
    for (const name of ['postal', 'second'] as const)
      expect(app(name).told, name).toMatchObject([{ by: 'post', known: true }])
    expect(app('front').told).toMatchObject([{ by: 'redirect', known: true }])
    expect(troubles()).toEqual([])
  })

  test('one that does not answer is named, and the others are counted', async () => {
    app('postal').answer = 'nothing'
    const tab = await at('postal', 'second')
    await signOut(tab)
    await tab.getByText(fill(en.signedOut.counted, { confirmed: '1', total: '2' })).waitFor()
    await tab.getByText(en.signedOut.states.asked).waitFor()
    const said = (await tab.textContent('main'))!
    expect([said.includes('App postal'), said.includes('App second')]).toEqual([true, false])
    expect(app('postal').told).toHaveLength(1)
  })

  test('are told by the next page for signing in, where the session ended without the browser', async () => {
    const tab = await at('postal')
    await gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'ended-by-administrator', 'cli')
    await gateway.server.tick()
    expect(app('postal').told).toEqual([])
    await tab.goto(gateway.issuer)
    await tab.waitForSelector('[name=username]')
    await expect.poll(() => app('postal').told).toMatchObject([{ by: 'post', known: true }])
    // and the page still does what it is for
    await signIn(tab, 'sam')
    await tab.getByRole('heading', { name: en.launcher.title }).waitFor()
    expect(troubles()).toEqual([])
  })
})

describe.each(['redirect', 'post'] as const)('an app that signs somebody out by %s', (by) => {
  test('is answered when the browser has told the others, and hears that all are closed', async () => {
    const tab = await at('asks', 'front', 'postal')
    await tab.goto(`${app('asks').origin}/leave?by=${by}`)
    await tab.getByRole('heading', { name: 'Left' }).waitFor()
    expect(new URL(tab.url()).origin).toBe(app('asks').origin)
    expect(app('front').told).toMatchObject([{ by: 'redirect', known: true }])
    expect(app('postal').told).toMatchObject([{ by: 'post', known: true }])
    expect(app('asks').answers).toEqual([['Success']])
    expect(app('asks').told).toEqual([])
    expect(await sessionsLeft()).toBe(0)
    expect(troubles()).toEqual([])
  })

  test('hears where another one was asked and cannot or does not confirm', async () => {
    const tab = await at('asks', 'front')
    await openFramed(tab)
    framed.loaded.length = 0
    await tab.goto(`${app('asks').origin}/leave?by=${by}`)
    await tab.getByRole('heading', { name: 'Left' }).waitFor()
    expect(framed.loaded.map(({ pathname }) => pathname)).toEqual(['/front'])
    expect(app('front').told).toHaveLength(1)
    expect(app('asks').answers).toEqual([['Success', 'PartialLogout']])
  })
})
