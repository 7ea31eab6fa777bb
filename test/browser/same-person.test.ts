/** One person, an account in every kind of directory that there is, a real browser: the same `sub` through each of them. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { messagesFor } from '#pages'
import { fill } from '../../src/pages/words.ts'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Federation, PARTNER, startFederation } from '../support/federation.ts'
import { PASSWORD } from '../support/gateway.ts'
import { type Lemonldap, startLemonldap } from '../support/lemonldap.ts'
import { freePort } from '../support/ports.ts'
import { relyingParty } from '../support/relying-party.ts'
import { type Samba, startSamba } from '../support/samba.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'

const en = messagesFor('en')
/** A domain of Active Directory wants signs of several kinds. */
const DOMAIN_PASSWORD = 'A lamp post in the rain 1'
let world: Federation
let slapd: Slapd
let samba: Samba
let contoso: Lemonldap
let chromium: Chromium
let callback: string
let anna: string
/** The app says nothing but that it is there. */
const app = createServer((_, response) => response.end('the app'))

beforeAll(async () => {
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  callback = `http://127.0.0.1:${(app.address() as AddressInfo).port}/callback`
  const port = await freePort()
  ;[slapd, samba, chromium] = await Promise.all([
    startSlapd([{ uid: 'a.berg', name: 'Anna Berg', password: PASSWORD }], { staff: ['a.berg'] }),
    startSamba(),
    startChromium(),
  ])
  await samba.modify(samba.person('aberg', DOMAIN_PASSWORD, ['displayName: Anna Berg']))
  world = await startFederation({
    clock: systemClock,
    theirs: [{ username: 'anna', name: 'Anna Berg', groups: ['visitors'] }],
    ours: {
      people: [{ username: 'anna', name: 'Anna Berg', groups: ['staff'] }],
      apps: [
        {
          id: 'web',
          name: 'Customer desk',
          policy: 'plain',
          audience: ['*'],
          oidc: { redirect_uris: [callback], scopes: ['openid', 'profile', 'email'] },
        },
      ] as never,
    },
    moreDirectories: [
      { ...slapd.settings(), id: 'office' },
      { ...samba.settings(), id: 'domain' },
      {
        id: 'contoso',
        kind: 'saml',
        title: 'Contoso',
        entity_id: `http://localhost:${port}/saml/metadata`,
        metadata_url: `http://localhost:${port}/saml/metadata`,
        attributes: { name: 'cn' },
      },
    ],
  })
  const metadata = await (await fetch(`${world.gateway.issuer}/signin/back/contoso/metadata`)).text()
  contoso = await startLemonldap({
    people: [{ uid: 'anna', password: PASSWORD, name: 'Anna Berg' }],
    port,
    serviceProviders: [{ metadata }],
  })
  anna = world.gateway.ids.get('anna')!
  // a whole domain is provisioned
}, 240_000)
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await world?.close()
  await Promise.all([contoso?.end(), samba?.end(), slapd?.end()])
  app.closeAllConnections()
  app.close()
})

/** Opens the app; answers how to end it, once the browser has come back. */
async function toTheApp(tab: Page) {
  const party = await relyingParty(world.gateway, 'web')
  const begun = await party.begin({ redirect_uri: callback })
  await tab.goto(begun.url.href)
  return async () => {
    await tab.waitForURL(`${callback}**`)
    return (await party.finish(begun, new URL(tab.url()))).claims()!.sub
  }
}
async function typeHere(tab: Page, username: string, password = PASSWORD) {
  await tab.fill('[name=username]', username)
  await tab.click('button.main')
  await tab.fill('[name=password]', password)
  await tab.click('button.main')
}
async function typeAtContoso(tab: Page) {
  await tab.fill('[name=user]', 'anna')
  await tab.fill('[name=password]', PASSWORD)
  await tab.press('[name=password]', 'Enter')
}
const to = (tab: Page, provider: string) =>
  tab.getByRole('link', { name: fill(en.federation.signInWith, { provider }) }).click()

/** A visit of her own, which begins with nothing in the browser; `signIn` is what she does on the pages. */
async function subOf(signIn: (tab: Page) => Promise<void>): Promise<string> {
  const tab = await chromium.tab()
  const claims = await toTheApp(tab)
  await signIn(tab)
  return claims()
}
/** Proves the account that she has here, and says that both are hers. */
async function proveAndConnect(tab: Page) {
  await tab.getByRole('button', { name: en.federation.prove }).click()
  await typeHere(tab, 'anna')
  await tab.getByRole('heading', { name: en.federation.connectTitle }).waitFor()
  await tab.getByRole('button', { name: en.federation.connect }).click()
}

describe('one person is the same', () => {
  test('by a password of ours', async () => {
    expect(await subOf((tab) => typeHere(tab, 'anna'))).toBe(anna)
  })

  test.each([
    ['OpenLDAP', 'office', 'a.berg', PASSWORD],
    ['Active Directory', 'domain', 'aberg', DOMAIN_PASSWORD],
  ])('by a password of %s, once an administrator has connected it', async (_name, directory, username, password) => {
    const { people } = world.gateway.server.house
    await people.link(anna, { directory, upstreamId: (await people.upstreamIdOf(directory, username))! }, 'cli')
    expect(await subOf((tab) => typeHere(tab, username, password))).toBe(anna)
  })

  test.each<[string, string, (tab: Page) => Promise<void>]>([
    ['OpenID Connect', 'Partner', (tab) => typeHere(tab, 'anna')],
    ['SAML', 'Contoso', typeAtContoso],
  ])(
    'at a provider of %s, once she has connected it herself',
    async (_name, title, typeThere) => {
      const first = async (tab: Page) => {
        await to(tab, title)
        await typeThere(tab)
        await proveAndConnect(tab)
      }
      expect(await subOf(first)).toBe(anna)
      const again = async (tab: Page) => {
        await to(tab, title)
        await typeThere(tab)
      }
      expect(await subOf(again)).toBe(anna)
    },
    60_000,
  )

  test('and all of these are hers, without any trouble in the browser', async () => {
    const identities = await world.gateway.server.house.people.identities(anna)
    expect(identities.map(({ directory }) => directory).sort()).toEqual(['contoso', 'domain', 'office', PARTNER])
    expect(chromium.troubles).toEqual([])
  })
})

describe('whoever came by SAML', () => {
  const sessions = async () => (await world.gateway.server.house.sessions.ofPerson(anna)).length
  async function come(): Promise<Page> {
    const tab = await chromium.tab()
    const claims = await toTheApp(tab)
    await to(tab, 'Contoso')
    await typeAtContoso(tab)
    expect(await claims()).toBe(anna)
    return tab
  }

  test('and signs out here is signed out there, and back on our page', async () => {
    const tab = await come()
    const before = await sessions()
    await tab.goto(`${world.gateway.issuer}/signout`)
    const there = tab.waitForRequest((request) => request.url().startsWith(`${contoso.issuer}/saml/`))
    const back = tab.waitForRequest((request) => request.url().includes('/signin/back/contoso/logout?SAMLResponse='))
    await tab.getByRole('button', { name: en.signOut.submit }).click()
    await Promise.all([there, back])
    await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
    const { origin, pathname } = new URL(tab.url())
    expect([origin, pathname]).toEqual([world.gateway.issuer, expect.stringMatching(/^\/signed-out\/[\w-]{22}$/)])
    expect(await sessions()).toBe(before - 1)
    await tab.goto(`${contoso.issuer}/`)
    expect(await tab.isVisible('[name=password]')).toBe(true)
  })

  test('and signs out there is signed out here, by the frame that their page opens', async () => {
    const tab = await come()
    const before = await sessions()
    await tab.goto(`${contoso.issuer}/?logout=1`)
    await expect.poll(sessions, { timeout: 20_000 }).toBe(before - 1)
    await tab.goto(`${world.gateway.issuer}/account`)
    expect(new URL(tab.url()).pathname).toMatch(/^\/signin\//)
  })
})
