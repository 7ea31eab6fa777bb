/**
 * Every page that people really meet, in all languages: its weight, room on a narrow phone, and axe by day and by night
 * on each page in one of them (the words are all that differs, and `test/pages/accessibility.test.ts` looks at the views).
 * `SCREENSHOTS=folder` keeps a picture of each, on a phone and on a tablet, by day and by night.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { AxeBuilder } from '@axe-core/playwright'
import * as oidc from 'openid-client'
import type { BrowserContext, Page, Response } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Manifest } from '#catalog'
import { LANGUAGES, type Language, messagesFor } from '#pages'
import { OUTSIDE_ADDRESS } from '../../demo/outside.ts'
import { addAuthenticator, type Chromium, startChromium } from '../support/chromium.ts'
import { ask, CIBA } from '../support/ciba.ts'
import { PASSWORD } from '../support/gateway.ts'
import { identify, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'
import { CALLBACK, relyingParty } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const LARGEST = 14 * 1024
const PHONE = { width: 360, height: 740 }
const TABLET = { width: 820, height: 1180 }
const SCHEMES = ['light', 'dark'] as const
const pictures = process.env['SCREENSHOTS']
let kestrel: Kestrel
let secrets: ReadonlyMap<string, string>
let chromium: Chromium

beforeAll(async () => {
  ;[kestrel, chromium] = await Promise.all([startKestrel({ settings: { proxies: ['127.0.0.0/8'] } }), startChromium()])
  const { apps } = kestrel.gateway.server.house.catalog
  const about = { policy: 'default', audience: ['staff'], first_party: false }
  const theirs = { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email', 'groups'] }
  await apps.register({ id: 'theirs', name: 'Northwind Orders', ...about, oidc: theirs }, 'test')
  const screen: Manifest = {
    id: 'screen',
    name: 'Shop window screen',
    ...about,
    first_party: true,
    oidc: {
      ...theirs,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    },
  }
  await apps.register(screen, 'test')
  const desk = { ...about, id: 'desk', name: 'Care desk', first_party: true }
  const asks = { redirect_uris: [], scopes: ['openid', 'profile'], grant_types: [CIBA] }
  const { clientSecret } = await apps.register({ ...desk, oidc: asks } as Manifest, 'test')
  secrets = new Map([['desk', clientSecret!]])
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

/** Looks at what a tab shows and writes down what is wrong with it. */
function createInspection(lang: Language) {
  const found: string[] = []
  const seen: string[] = []
  const bodies = new WeakMap<Page, Response>()

  /** Each page is another language's turn. */
  const isJudged = (): boolean => (seen.length + LANGUAGES.indexOf(lang)) % LANGUAGES.length === 0

  /** What axe says of the page; by night only the colours are others. */
  async function judge(tab: Page, name: string): Promise<void> {
    for (const colorScheme of SCHEMES) {
      if (!pictures && !isJudged()) continue
      await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const axe = new AxeBuilder({ page: tab }).setLegacyMode() // without it, each analysis opens a page for frames
      const { violations, passes } = await (colorScheme === 'dark' ? axe.withRules('color-contrast') : axe).analyze()
      for (const { id, nodes } of violations)
        found.push(`${name}, ${colorScheme}: ${id} at ${nodes.map(({ target }) => target).join(' | ')}`)
      if (!passes.some(({ id }) => id === 'color-contrast'))
        found.push(`${name}, ${colorScheme}: no colour was measured`)
      if (pictures) await photograph(tab, name, colorScheme)
    }
  }

  async function photograph(tab: Page, name: string, colorScheme: string): Promise<void> {
    mkdirSync(pictures!, { recursive: true })
    for (const [device, viewport] of Object.entries({ phone: PHONE, tablet: TABLET })) {
      await tab.setViewportSize(viewport)
      const path = join(pictures!, `${name}-${lang}-${device}-${colorScheme}.png`)
      await tab.screenshot({ path, fullPage: true })
    }
    await tab.setViewportSize(PHONE)
  }

  return {
    found,
    seen,
    watch(tab: Page): Page {
      tab.on('response', (response) => {
        const moved = response.status() >= 300 && response.status() < 400
        if (response.request().isNavigationRequest() && !moved) bodies.set(tab, response)
      })
      return tab
    },
    /** `heading`: so that no page is looked at in the place of another. */
    async look(tab: Page, name: string, heading: string): Promise<void> {
      seen.push(name)
      await tab.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
      const { width, language } = await tab.evaluate(() => ({
        width: document.documentElement.scrollWidth,
        language: document.documentElement.lang,
      }))
      if (width > PHONE.width) found.push(`${name}: ${width} pixels wide`)
      if (language !== lang) found.push(`${name}: in ${language}`)
      const size = gzipSync((await bodies.get(tab)!.body()) as Buffer).length
      if (size > LARGEST) found.push(`${name}: ${size} bytes`)
      await judge(tab, name)
    },
  }
}

const LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', nl: 'nl-NL', de: 'de-DE', ru: 'ru-RU' }

test.each(LANGUAGES)(
  'every page in %s is fit to be read by everybody',
  async (lang) => {
    const m = messagesFor(lang)
    const { house } = kestrel.gateway.server
    const { issuer } = kestrel
    const person = await kestrel.hire({ name: 'Aleksandra van den Berg-Hoffmann', organisation: 'retail/nl' })
    const { found, seen, watch, look } = createInspection(lang)
    const visit = (more: object = {}): Promise<BrowserContext> =>
      chromium.visit({ locale: LOCALES[lang], viewport: PHONE, ...more })
    const button = (tab: Page, name: string) => tab.getByRole('button', { name, exact: true })

    // on the way to the risky app: name, password, a second factor is added
    const context = await visit()
    const tab = watch(await context.newPage())
    await addAuthenticator(tab, { autofill: false })
    await tab.goto(kestrel.at('sim-swap'))
    await look(tab, 'identifier', m.identifier.title)
    await identify(tab, person.username)
    await look(tab, 'password', m.password.title)
    await tab.fill('[name=password]', 'not this one')
    await tab.click('button.main')
    await tab.getByRole('alert').waitFor()
    await look(tab, 'password-wrong', m.password.title)
    await tab.fill('[name=password]', PASSWORD)
    await tab.click('button.main')
    await look(tab, 'enrol-choice', m.enrolChoice.title)
    await tab.getByRole('button', { name: m.factors.passkey }).click()
    await look(tab, 'enrol-passkey', m.enrolPasskey.title)

    // the account
    await tab.goto(`${issuer}/account`)
    await button(tab, m.account.addTotp).click()
    await look(tab, 'enrol-totp', m.enrolTotp.title)
    const secret = (await tab.locator('.secret').textContent())!.replaceAll(' ', '')
    const usedAt = Date.now()
    await tab.fill('[name=code]', totpCode(secret, usedAt))
    await button(tab, m.enrolTotp.submit).click()
    await tab.getByText(m.notices['totp-added']).waitFor()
    await look(tab, 'account', m.account.title)

    // every change asks for the second factor now
    await button(tab, m.account.addPasskey).click()
    await look(tab, 'totp', m.totp.title)
    await tab.fill('[name=code]', totpCode(secret, usedAt + 30_000))
    await tab.click('button.main')
    await button(tab, m.enrolPasskey.submit).click()
    await tab.getByText(m.notices['passkey-added']).waitFor()
    await tab.goto(`${issuer}/account/password`)
    await look(tab, 'change-password', m.changePassword.title)
    await tab.goto(`${issuer}/account`)
    await button(tab, m.account.makeRecoveryCodes).click()
    await look(tab, 'recovery-codes', m.recoveryCodes.title)
    await tab.goto(`${issuer}/account`)
    await look(tab, 'account-full', m.account.title)
    await tab.goto(issuer)
    await look(tab, 'launcher', m.launcher.title)

    // the next morning: a password, then what else there is
    const morning = watch(await (await visit()).newPage())
    await addAuthenticator(morning, { autofill: false })
    await morning.goto(kestrel.at('crm'))
    await signIn(morning, person.username)
    await morning.getByText('Hello').waitFor()
    await morning.goto(kestrel.at('sim-swap'))
    await look(morning, 'passkey', m.passkey.title)
    await morning.getByRole('link', { name: m.common.otherWay }).click()
    await look(morning, 'choice', m.choice.title)
    await morning.getByRole('button', { name: m.factors['recovery-code'] }).click()
    await look(morning, 'recovery-code', m.recoveryCode.title)

    // an app that is not ours, and a device without a keyboard
    const party = await relyingParty(kestrel.gateway, 'theirs', oidc.None())
    await morning.goto((await party.begin({ scope: 'openid profile email groups' })).url.href)
    await look(morning, 'consent', m.consent.title.replace('{app}', 'Northwind Orders'))
    const screen = await relyingParty(kestrel.gateway, 'screen', oidc.None())
    const started = await oidc.initiateDeviceAuthorization(screen.configuration, { scope: 'openid' })
    await morning.goto(started.verification_uri)
    await look(morning, 'device-code', m.device.title)
    await morning.fill('[name=user_code]', started.user_code)
    await morning.click('button.main')
    await look(morning, 'device-confirm', m.device.confirmTitle)
    await morning.click('button.main')
    await look(morning, 'device-done', m.device.doneTitle)

    // somebody asks
    const words = { login_hint: person.username, scope: 'openid profile', binding_message: 'Desk 12, code 4711' }
    await ask({ ...kestrel.gateway, secrets }, 'desk', words)
    await morning.goto(issuer)
    await look(morning, 'launcher-asked', m.launcher.title)
    await morning.getByRole('link', { name: m.confirming.look }).click()
    await look(morning, 'confirm', m.confirming.title.replace('{app}', 'Care desk'))
    await button(morning, m.confirming.approve).click()
    await morning.getByText(m.confirming.done.approved).waitFor()
    await look(morning, 'launcher-answered', m.launcher.title)

    // outside the store
    const outside = watch(await (await visit({ extraHTTPHeaders: { 'x-forwarded-for': OUTSIDE_ADDRESS } })).newPage())
    await outside.goto(issuer)
    await signIn(outside, person.username)
    await look(outside, 'launcher-locked', m.launcher.title)
    expect(await outside.getByText(m.launcher.locked).count()).toBe(3)
    await outside.goto(kestrel.at('sim-swap'))
    await look(outside, 'refused', m.refused.titleApp.replace('{app}', 'SIM swap'))
    await outside.getByRole('link', { name: m.refused.why }).click()
    await look(outside, 'why', m.why.title)
    await outside.goto(`${issuer}/nothing/here`)
    await look(outside, 'error', m.error.title)
    await outside.goto(`${issuer}/signin/${'x'.repeat(22)}`)
    await look(outside, 'expired', m.expired.title)
    await outside.goto(`${issuer}/signout`)
    await look(outside, 'sign-out', m.signOut.title)
    await button(outside, m.signOut.submit).click()
    await look(outside, 'signed-out', m.signedOut.title)

    expect(found).toEqual([])
    expect(new Set(seen).size).toBe(seen.length)
    expect((await house.sessions.ofPerson(person.id)).length).toBe(2)
  },
  300_000,
)

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
