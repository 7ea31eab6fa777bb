/** One person, a password of ours, of OpenLDAP and of Active Directory, a real browser: the same `sub` by each of them. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { relyingParty } from '../support/relying-party.ts'
import { type Samba, startSamba } from '../support/samba.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'

/** A domain of Active Directory wants signs of several kinds. */
const DOMAIN_PASSWORD = 'A lamp post in the rain 1'
let gateway: Gateway
let slapd: Slapd
let samba: Samba
let chromium: Chromium
let callback: string
let anna: string
/** The app says nothing but that it is there. */
const app = createServer((_, response) => response.end('the app'))

beforeAll(async () => {
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  callback = `http://127.0.0.1:${(app.address() as AddressInfo).port}/callback`
  ;[slapd, samba, chromium] = await Promise.all([
    startSlapd([{ uid: 'a.berg', name: 'Anna Berg', password: PASSWORD }], { staff: ['a.berg'] }),
    startSamba(),
    startChromium(),
  ])
  await samba.modify(samba.person('aberg', DOMAIN_PASSWORD, ['displayName: Anna Berg']))
  gateway = await startGateway({
    clock: systemClock,
    policies: POLICIES,
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
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        { ...slapd.settings(), id: 'office' },
        { ...samba.settings(), id: 'domain' },
      ],
    },
  })
  anna = gateway.ids.get('anna')!
  // a whole domain is provisioned
}, 240_000)
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await gateway?.close()
  await Promise.all([samba?.end(), slapd?.end()])
  app.closeAllConnections()
  app.close()
})

/** Opens the app; answers how to end it, once the browser has come back. */
async function toTheApp(tab: Page) {
  const party = await relyingParty(gateway, 'web')
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
/** A visit of her own, which begins with nothing in the browser; `signIn` is what she does on the pages. */
async function subOf(signIn: (tab: Page) => Promise<void>): Promise<string> {
  const tab = await chromium.tab()
  const claims = await toTheApp(tab)
  await signIn(tab)
  return claims()
}
describe('one person is the same', () => {
  test('by a password of ours', async () => {
    expect(await subOf((tab) => typeHere(tab, 'anna'))).toBe(anna)
  })

  test.each([
    ['OpenLDAP', 'office', 'a.berg', PASSWORD],
    ['Active Directory', 'domain', 'aberg', DOMAIN_PASSWORD],
  ])('by a password of %s, once an administrator has connected it', async (_name, directory, username, password) => {
    const { people } = gateway.server.house
    await people.link(anna, { directory, upstreamId: (await people.upstreamIdOf(directory, username))! }, 'cli')
    expect(await subOf((tab) => typeHere(tab, username, password))).toBe(anna)
  })
})
