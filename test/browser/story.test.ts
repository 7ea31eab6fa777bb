/**
 * The story of a care agent: the risky app asks once and opens at the page they wanted; at home it stays closed and says why
 * in Dutch, and the help desk finds the decision by the reference that is read out to it.
 */
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { messagesFor } from '#pages'
import { OUTSIDE_ADDRESS } from '../../demo/outside.ts'
import { openHouse } from '../../src/house.ts'
import { missingFile } from '../../src/missing.ts'
import { giveTotp } from '../abuse/people.ts'
import { addAuthenticator, type Chromium, startChromium } from '../support/chromium.ts'
import { greeting, type Hired, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'
import { totpCode } from '../support/totp.ts'

const VERBS = await allVerbs()

const nl = messagesFor('nl')
const IN_STORE = { 'x-forwarded-for': '192.0.2.17' }
const AT_HOME = { 'x-forwarded-for': OUTSIDE_ADDRESS }
let kestrel: Kestrel
let chromium: Chromium

beforeAll(async () => {
  ;[kestrel, chromium] = await Promise.all([
    startKestrel({ settings: { proxies: ['127.0.0.0/8'] } }),
    startChromium({ keepPages: true }),
  ])
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

/** A care agent in a store, signed in with the password, whose passkey is on this device. */
async function careAgent(): Promise<{ agent: Hired; visit: BrowserContext; tab: Page }> {
  const agent = await kestrel.hire({ groups: ['staff', 'care'] })
  const visit = await chromium.visit({ locale: 'nl-NL', extraHTTPHeaders: IN_STORE })
  const tab = await visit.newPage()
  await addAuthenticator(tab, { autofill: false })
  await tab.goto(`${kestrel.issuer}/account`)
  await signIn(tab, agent.username)
  await tab.getByRole('button', { name: nl.account.addPasskey }).click()
  await tab.getByRole('button', { name: nl.enrolPasskey.submit }).click()
  await tab.getByText(nl.notices['passkey-added']).waitFor()
  await tab.goto(`${kestrel.issuer}/signout`)
  await tab.getByRole('button', { name: nl.signOut.submit }).click()
  await tab.getByRole('heading', { name: nl.signedOut.title }).waitFor()
  await tab.goto(kestrel.at('crm'))
  await signIn(tab, agent.username)
  expect(await greeting(tab)).toBe(`Hello ${agent.name}.`)
  return { agent, visit, tab }
}

/** What the help desk types. */
async function portico(...words: string[]) {
  const out: string[] = []
  const { folder } = kestrel.gateway
  const code = await runCommand({
    words: [...words, '--config', join(folder, 'portico.yaml')],
    verbs: VERBS,
    openHouse: ({ settings }) => openHouse({ settings, folder, clock: systemClock, log: silentLog }),
    missing: missingFile,
    out: (text) => out.push(text),
    err: (text) => out.push(text),
    clock: systemClock,
  })
  return { code, text: out.join('\n') }
}

/** Presses the button of the page that asks for the passkey. */
const givePasskey = (tab: Page) => tab.getByRole('button', { name: nl.passkey.submit }).click()

test('in the store: one touch, and the page that was wanted; at home: no, why, and a reference that the help desk finds', async () => {
  const { agent, visit, tab } = await careAgent()
  await tab.goto(kestrel.at('sim-swap', '/customer/4711'))
  // the passkey at once: neither the name nor a choice
  expect(await tab.locator('[name=username]:visible').count()).toBe(0)
  await givePasskey(tab)
  await tab.getByText('Customer 4711').waitFor()
  expect(tab.url()).toBe(kestrel.at('sim-swap', '/customer/4711'))
  expect(await tab.locator('tr:has-text("acr") td').first().textContent()).toBe('hardware')

  // once per shift
  await visit.clearCookies({ name: 'sample-sim-swap' })
  await tab.goto(kestrel.at('sim-swap', '/customer/815'))
  await tab.getByText('Customer 815').waitFor()

  // the same person at home, with the same browser
  await visit.setExtraHTTPHeaders(AT_HOME)
  await visit.clearCookies({ name: 'sample-sim-swap' })
  const answer = await tab.goto(kestrel.at('sim-swap', '/customer/4711'))
  expect(answer?.status()).toBe(403)
  await tab.getByText('Deze app opent alleen in een winkel of op het hoofdkantoor.').waitFor()
  const reference = (await tab.textContent('.reference .letters'))!
  await tab.getByRole('link', { name: nl.refused.why }).click()
  await tab.getByRole('heading', { name: nl.why.title }).waitFor()
  expect(await tab.textContent('main')).toContain(nl.why.deny)

  // read out over the telephone
  const told = await portico('policy', 'explain', '--receipt', reference.toLowerCase().replace('-', ' '))
  expect(told.text).toContain('DENY  store-apps › closed outside stores')
  expect(told.code).toBe(0)
  expect(told.text).toMatch(/network.*(stores|head-office)/)
  const found = await portico('audit', 'search', '--receipt', reference)
  expect(found.text).toContain(agent.id)

  // back in the store nothing is lost
  await visit.setExtraHTTPHeaders(IN_STORE)
  await tab.goto(kestrel.at('sim-swap', '/customer/4711'))
  await tab.getByText('Customer 4711').waitFor()
})

test('eight tabs before the step-up need one touch, and each goes on to its own page', async () => {
  const { visit, tab: first } = await careAgent()
  const tabs = [first, ...(await Promise.all(Array.from({ length: 7 }, () => visit.newPage())))]
  const pages = tabs.map((_, i) => `/customer/${100 + i}`)
  await Promise.all(tabs.map((tab, i) => tab.goto(kestrel.at('sim-swap', pages[i]))))
  for (const tab of tabs) expect(await tab.getByRole('button', { name: nl.passkey.submit }).count()).toBe(1)
  await givePasskey(first)
  await first.getByText('Customer 100').waitFor()
  for (const tab of tabs.slice(1)) await tab.reload()
  for (const [i, tab] of tabs.entries()) {
    await tab.getByText(`Customer ${100 + i}`).waitFor()
    expect(tab.url()).toBe(kestrel.at('sim-swap', pages[i]))
  }
})

test('Back after the step-up leads to an app or a page that goes on, never to a second question', async () => {
  const { tab } = await careAgent()
  await tab.goto(kestrel.at('sim-swap', '/customer/7'))
  await givePasskey(tab)
  await tab.getByText('Customer 7').waitFor()
  await tab.goBack()
  // the page of the question is over: whatever stands there, one click is enough
  if (new URL(tab.url()).origin === kestrel.issuer) await tab.reload()
  expect(await tab.getByRole('button', { name: nl.passkey.submit }).count()).toBe(0)
})

test('another way is one click away and comes back to the same page', async () => {
  const { agent, tab } = await careAgent()
  const secret = await giveTotp(kestrel.gateway, agent.id, Date.now() - 30_000)
  await tab.goto(kestrel.at('sim-swap', '/customer/9'))
  await tab.getByRole('link', { name: nl.common.otherWay }).click()
  expect(await tab.locator('[name=username]:visible').count()).toBe(0)
  await tab.getByRole('button', { name: nl.factors.totp }).click()
  await tab.fill('[name=code]', totpCode(secret, Date.now()))
  await tab.click('button.main')
  await tab.getByText('Customer 9').waitFor()
  expect(tab.url()).toBe(kestrel.at('sim-swap', '/customer/9'))
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
