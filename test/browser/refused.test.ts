/** Outside the store: what somebody reads who is not let in, and where they can go from there. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { OUTSIDE_ADDRESS } from '../../demo/outside.ts'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { greeting, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'

const nl = messagesFor('nl')
/** The sentences of `policies/store-apps.yaml`. */
const SAY = 'Deze app opent alleen in een winkel of op het hoofdkantoor.'
const DO = 'Gebruik een winkeltablet, of vraag een collega in een winkel om het samen te doen.'
const REFERENCE = /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/
let kestrel: Kestrel
let chromium: Chromium

beforeAll(async () => {
  ;[kestrel, chromium] = await Promise.all([startKestrel({ settings: { proxies: ['127.0.0.0/8'] } }), startChromium()])
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

/** A Dutch browser behind a proxy of ours that says where it is. */
const outside = (address = OUTSIDE_ADDRESS): Promise<Page> =>
  chromium.tab({ locale: 'nl-NL', extraHTTPHeaders: { 'x-forwarded-for': address } })

async function statusOf(tab: Page, address: string): Promise<number | undefined> {
  return (await tab.goto(address))?.status()
}

test('the risky app stays closed, says so in the language of the browser, and gives a reference', async () => {
  const tab = await outside()
  expect(await statusOf(tab, kestrel.at('sim-swap'))).toBe(403)
  expect(await tab.getAttribute('html', 'lang')).toBe('nl')
  expect(await tab.textContent('h1')).toBe(nl.refused.titleApp.replace('{app}', 'SIM swap'))
  expect(await tab.getByText(SAY).isVisible()).toBe(true)
  expect(await tab.getByText(DO).isVisible()).toBe(true)
  expect(await tab.textContent('.reference .letters')).toMatch(REFERENCE)
  // nobody is signed in: the reasons are nobody's yet
  expect(await tab.getByRole('link', { name: nl.refused.why }).count()).toBe(0)
})

test('the same browser in a store is asked to sign in instead', async () => {
  const tab = await outside('192.0.2.17')
  expect(await statusOf(tab, kestrel.at('sim-swap'))).toBe(200)
  expect(await tab.locator('[name=username]').isVisible()).toBe(true)
})

test('somebody signed in can read why, with the same reference, and nobody else can', async () => {
  const { username } = await kestrel.hire()
  const tab = await outside()
  await tab.goto(kestrel.issuer)
  await signIn(tab, username)
  await tab.getByRole('heading', { name: nl.launcher.title }).waitFor()
  // it is not among the apps that open here
  expect(await tab.getByRole('link', { name: 'SIM swap' }).count()).toBe(0)
  await tab.goto(kestrel.at('sim-swap'))
  const reference = (await tab.textContent('.reference .letters'))!
  await tab.getByRole('link', { name: nl.refused.why }).click()
  await tab.getByRole('heading', { name: nl.why.title }).waitFor()
  const page = (await tab.textContent('main'))!
  expect(page).toContain(reference)
  expect(page).toContain(nl.why.deny)
  expect(page).toContain('closed outside stores')
  // whoever finds the reference learns nothing, and no page says where we think somebody is
  expect(page).not.toContain(OUTSIDE_ADDRESS)
  const stranger = await chromium.tab()
  await stranger.goto(`${kestrel.issuer}/why/${reference}`)
  expect(await stranger.locator('[name=username]').isVisible()).toBe(true)
  await signIn(stranger, (await kestrel.hire()).username)
  await stranger.getByText(messagesFor('en').refusals['not-found']).waitFor()
  expect(await stranger.textContent('main')).not.toContain('closed outside stores')
})

test('the way back to the app tells the app that access was denied', async () => {
  const tab = await outside()
  await tab.goto(kestrel.at('sim-swap'))
  const answered = tab.waitForRequest((request) => request.url().startsWith(kestrel.at('sim-swap', '/callback')))
  await tab.getByRole('link', { name: nl.common.back, exact: true }).click()
  const { searchParams } = new URL((await answered).url())
  expect(searchParams.get('error')).toBe('access_denied')
  await tab.getByText('Portico did not let you in').waitFor()
  expect(tab.url().startsWith(kestrel.at('sim-swap'))).toBe(true)
  // an app may pass on what it heard: it is not told where the person is, or why
  expect(searchParams.get('error_description')).toBe('refused by policy')
})

test('the apps that do open elsewhere ask for a second factor there', async () => {
  const { username, name } = await kestrel.hire()
  const inStore = await outside('192.0.2.17')
  await inStore.goto(kestrel.at('crm'))
  await signIn(inStore, username)
  expect(await greeting(inStore)).toBe(`Hello ${name}.`)
  const tab = await outside()
  await tab.goto(kestrel.at('crm'))
  await signIn(tab, username)
  await tab.getByRole('heading', { name: nl.enrolChoice.title }).waitFor()
})

test('what a browser claims by itself is not believed', async () => {
  const plain = await startKestrel({ apps: [] })
  try {
    const { hire, gateway } = plain
    const { id, username } = await hire()
    const tab = await outside()
    await tab.goto(plain.issuer)
    await signIn(tab, username)
    await tab.getByRole('heading', { name: nl.launcher.title }).waitFor()
    const [session] = await gateway.server.house.sessions.ofPerson(id)
    expect(session?.address).toBe('127.0.0.1')
  } finally {
    await plain.close()
  }
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
