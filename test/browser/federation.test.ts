/** One person, every kind of directory, a real browser: the same `sub`. And the pages on the way in four languages. */
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { AxeBuilder } from '@axe-core/playwright'
import { buildEndSessionUrl } from 'openid-client'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { LANGUAGES, messagesFor } from '#pages'
import { fill } from '../../src/pages/words.ts'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { type Federation, PARTNER, startFederation } from '../support/federation.ts'
import { PASSWORD } from '../support/gateway.ts'
import { relyingParty } from '../support/relying-party.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'

const en = messagesFor('en')
const pictures = process.env['SCREENSHOTS']
let world: Federation
let slapd: Slapd
let chromium: Chromium
/** Where the app is: it says nothing but that it is there. */
const app = createServer((_, response) => response.end('the app'))
let callback: string

beforeAll(async () => {
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  callback = `http://127.0.0.1:${(app.address() as AddressInfo).port}/callback`
  ;[slapd, chromium] = await Promise.all([
    startSlapd([{ uid: 'a.berg', name: 'Anna Berg', password: PASSWORD }], { staff: ['a.berg'] }),
    startChromium(),
  ])
  world = await startFederation({
    clock: systemClock,
    theirs: ['anna', 'new.one', 'new.two', 'new.three', 'new.four'].map((username) => ({
      username,
      name: username,
      mail: `${username}@partner.example`,
      mailVerified: true,
      groups: ['visitors'],
    })),
    ours: {
      settings: { routing: [{ domains: ['partner.example'], to: PARTNER }] },
      people: [{ username: 'anna', name: 'Anna van den Berg', groups: ['staff'] }],
      apps: [
        {
          id: 'web',
          name: 'Customer desk',
          policy: 'plain',
          audience: ['*'],
          oidc: {
            redirect_uris: [callback],
            post_logout_redirect_uris: [new URL('/signed-out', callback).href],
            scopes: ['openid', 'profile', 'email'],
          },
        },
      ] as never,
    },
    moreDirectories: [{ ...slapd.settings(), id: 'office' }],
  })
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await world?.close()
  await slapd?.end()
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
    return (await party.finish(begun, new URL(tab.url()))).claims()!
  }
}

async function typeHere(tab: Page, username: string) {
  await tab.fill('[name=username]', username)
  await tab.click('button.main')
  await tab.fill('[name=password]', PASSWORD)
  await tab.click('button.main')
}

const there = (tab: Page, messages = en) =>
  tab.getByRole('link', { name: fill(messages.federation.signInWith, { provider: 'Partner' }) }).click()

describe('one person', () => {
  test('is the same through each kind of directory, once they are connected', async () => {
    const { people } = world.gateway.server.house
    const id = world.gateway.ids.get('anna')!
    await people.link(id, { directory: 'office', upstreamId: (await people.upstreamIdOf('office', 'a.berg'))! }, 'cli')

    const local = await chromium.tab()
    const first = await toTheApp(local)
    await typeHere(local, 'anna')
    expect((await first()).sub).toBe(id)

    const office = await chromium.tab()
    const second = await toTheApp(office)
    await typeHere(office, 'a.berg')
    expect((await second()).sub).toBe(id)

    const partner = await chromium.tab()
    const third = await toTheApp(partner)
    await there(partner)
    expect(new URL(partner.url()).origin).toBe(world.provider.issuer)
    await typeHere(partner, 'anna')
    await partner.getByRole('button', { name: en.federation.prove }).click()
    await typeHere(partner, 'anna')
    await partner.getByRole('heading', { name: en.federation.connectTitle }).waitFor()
    await partner.getByRole('button', { name: en.federation.connect }).click()
    expect((await third()).sub).toBe(id)

    const again = await chromium.tab()
    const fourth = await toTheApp(again)
    await there(again)
    await typeHere(again, 'anna')
    expect((await fourth()).sub).toBe(id)
    expect((await people.identities(id)).map(({ directory }) => directory)).toEqual(['office', PARTNER])
    expect(chromium.troubles).toEqual([])
  })

  test('is sent on by the name they type, through the page that goes on by itself', async () => {
    const tab = await chromium.tab()
    await toTheApp(tab)
    await tab.fill('[name=username]', 'anna@partner.example')
    await tab.click('button.main')
    await tab.waitForURL(`${world.provider.issuer}/**`)
    expect(await tab.inputValue('[name=username]')).toBe('anna@partner.example')
    expect(chromium.troubles).toEqual([])
  })

  test('whom an app signs out is signed out at the provider too, and comes back to the app', async () => {
    const { people, sessions } = world.provider.server.house
    const { id } = (await people.find('anna'))!
    const anna = world.gateway.ids.get('anna')!
    await world.gateway.server.house.people.link(anna, { directory: PARTNER, upstreamId: id }, 'cli')
    const tab = await chromium.tab()
    await toTheApp(tab)
    await there(tab)
    await typeHere(tab, 'anna')
    await tab.waitForURL(`${callback}**`)
    const before = await sessions.ofPerson(id)
    const { configuration } = await relyingParty(world.gateway, 'web')
    const parameters = { post_logout_redirect_uri: new URL('/signed-out', callback).href, state: 'of the app' }
    await tab.goto(buildEndSessionUrl(configuration, parameters).href)
    await tab.getByRole('button', { name: en.signOut.submit }).click()
    // the provider is shown the ID token of its own session, and asks nothing
    await tab.waitForURL(`${parameters.post_logout_redirect_uri}?state=of+the+app`)
    expect(await sessions.ofPerson(id)).toHaveLength(before.length - 1)
    expect(chromium.troubles).toEqual([])
  })
})

describe('the pages on the way', () => {
  const NEW = ['new.one', 'new.two', 'new.three', 'new.four']
  const LOCALES = { en: 'en-GB', nl: 'nl-NL', de: 'de-DE', ru: 'ru-RU' } as const

  test.each(LANGUAGES)('in %s are fit to be read by everybody', async (lang) => {
    const messages = messagesFor(lang)
    const found: string[] = []
    const tab = await chromium.tab({ locale: LOCALES[lang], viewport: { width: 360, height: 740 } })
    let body: Uint8Array = Buffer.alloc(0)
    tab.on('response', async (response) => {
      const moved = response.status() >= 300 && response.status() < 400
      if (response.request().isNavigationRequest() && !moved) body = await response.body().catch(() => body)
    })
    const look = async (name: string) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        const { violations } = await new AxeBuilder({ page: tab }).setLegacyMode().analyze()
        for (const one of violations) found.push(`${name}, ${colorScheme}: ${one.id}`)
        if (!pictures) continue
        mkdirSync(pictures, { recursive: true })
        for (const [device, width] of [
          ['phone', 360],
          ['tablet', 820],
        ] as const) {
          await tab.setViewportSize({ width, height: device === 'phone' ? 740 : 1180 })
          await tab.screenshot({ path: join(pictures, `${name}-${lang}-${device}-${colorScheme}.png`), fullPage: true })
        }
        await tab.setViewportSize({ width: 360, height: 740 })
      }
      const width = await tab.evaluate(() => document.documentElement.scrollWidth)
      if (width > 360) found.push(`${name}: ${width} pixels wide`)
      if (gzipSync(body).length > 14 * 1024) found.push(`${name}: ${gzipSync(body).length} bytes`)
    }
    await toTheApp(tab)
    await look('federation-identifier')
    await there(tab, messages)
    await typeHere(tab, NEW[LANGUAGES.indexOf(lang)]!)
    await tab.getByRole('heading', { name: messages.federation.newTitle }).waitFor()
    await look('federation-newcomer')
    await tab.getByRole('button', { name: messages.federation.prove }).click()
    await typeHere(tab, 'anna')
    await tab.getByRole('heading', { name: messages.federation.connectTitle }).waitFor()
    await look('federation-connect')
    await tab.goto(`${world.gateway.issuer}/signin/back/${PARTNER}?state=${'a'.repeat(43)}&code=x`)
    expect(found).toEqual([])
  })
})
