/** Passkeys in a real browser with a virtual authenticator: added, offered by itself, by the button, as second factor. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { addAuthenticator, type Chromium, startChromium } from '../support/chromium.ts'
import { greeting, type Hired, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'

const en = messagesFor('en')
let kestrel: Kestrel
let chromium: Chromium

beforeAll(async () => {
  ;[kestrel, chromium] = await Promise.all([startKestrel(), startChromium()])
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

/** Somebody who signed in with a password and added a passkey on the account page, in a tab of their own. */
async function withPasskey(options?: { autofill: boolean }): Promise<{ tab: Page; person: Hired }> {
  const person = await kestrel.hire()
  const tab = await chromium.tab()
  await addAuthenticator(tab, options)
  await tab.goto(`${kestrel.issuer}/account`)
  await signIn(tab, person.username)
  await tab.getByRole('button', { name: en.account.addPasskey }).click()
  await tab.getByRole('heading', { name: en.enrolPasskey.title }).waitFor()
  await tab.getByRole('button', { name: en.enrolPasskey.submit }).click()
  await tab.getByText(en.notices['passkey-added']).waitFor()
  return { tab, person }
}

async function signOut(tab: Page): Promise<void> {
  await tab.goto(`${kestrel.issuer}/signout`)
  await tab.getByRole('button', { name: en.signOut.submit }).click()
  await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
}

const factorsOf = async ({ id }: Hired) =>
  (await kestrel.gateway.server.house.factors.enrolled(id)).map(({ kind }) => kind)

test('a passkey is added on the account page and stands there with the name of its browser', async () => {
  const { tab, person } = await withPasskey()
  expect(await tab.locator('section', { hasText: en.account.factors }).textContent()).toMatch(/Chrome.*Linux/)
  expect(await tab.locator('section', { hasText: en.account.devices }).textContent()).toContain('Chrome on Linux')
  expect(await factorsOf(person)).toEqual(['password', 'passkey'])
})

test('the browser offers the passkey in the field for the user name, and nothing has to be typed', async () => {
  const { tab, person } = await withPasskey()
  await signOut(tab)
  await tab.goto(kestrel.at('crm'))
  // the virtual authenticator takes the offer; a person taps it
  await tab.waitForURL(kestrel.at('crm'))
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
  expect(await tab.locator('tr:has-text("amr") td').textContent()).not.toContain('pwd')
})

test('where the browser offers nothing by itself, the button does it', async () => {
  const { tab, person } = await withPasskey({ autofill: false })
  await signOut(tab)
  await tab.goto(kestrel.at('crm'))
  await tab.getByRole('button', { name: en.identifier.passkey }).click()
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
})

test('signed in with a passkey that knows its person, the risky app opens at once', async () => {
  const { tab, person } = await withPasskey()
  await signOut(tab)
  await tab.goto(kestrel.at('tills'))
  await tab.waitForURL(kestrel.at('tills'))
  await tab.goto(kestrel.at('sim-swap'))
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
})

test('the risky app asks whoever came with a password, and the passkey leads back to that app', async () => {
  const { tab, person } = await withPasskey({ autofill: false })
  await signOut(tab)
  await tab.goto(kestrel.at('crm'))
  await signIn(tab, person.username)
  await greeting(tab)
  await tab.goto(kestrel.at('sim-swap'))
  await tab.getByRole('heading', { name: en.passkey.title }).waitFor()
  expect(await tab.getByText(person.username).isVisible()).toBe(true)
  await tab.getByRole('button', { name: en.passkey.submit }).click()
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
  expect(tab.url()).toBe(kestrel.at('sim-swap'))
  // and not again
  await tab.context().clearCookies({ name: 'sample-sim-swap' })
  await tab.goto(kestrel.at('sim-swap'))
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
})

test('who has no second factor is offered to add one on the way, and lands in the app', async () => {
  const person = await kestrel.hire()
  const tab = await chromium.tab()
  await addAuthenticator(tab)
  await tab.goto(kestrel.at('sim-swap'))
  await signIn(tab, person.username)
  await tab.getByRole('heading', { name: en.enrolChoice.title }).waitFor()
  await tab.getByRole('button', { name: new RegExp(`^${en.factors.passkey}`) }).click()
  await tab.getByRole('button', { name: en.enrolPasskey.submit }).click()
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
  expect(tab.url()).toBe(kestrel.at('sim-swap'))
  expect(await factorsOf(person)).toEqual(['password', 'passkey'])
})

test('the passkey of somebody else is not taken for this person', async () => {
  const { tab } = await withPasskey({ autofill: false })
  await signOut(tab)
  const other = await kestrel.hire()
  await tab.goto(kestrel.at('crm'))
  await signIn(tab, other.username)
  await greeting(tab)
  await tab.goto(`${kestrel.issuer}/account`)
  expect(await tab.locator('section', { hasText: en.account.factors }).textContent()).not.toContain(en.factors.passkey)
  await tab.goto(kestrel.at('sim-swap'))
  // this person has none: the step is not even offered
  await tab.getByRole('heading', { name: en.enrolChoice.title }).waitFor()
})

test('an authenticator that is not there leads to a sentence and to the password', async () => {
  const person = await kestrel.hire()
  const tab = await chromium.tab()
  await addAuthenticator(tab, { autofill: false })
  await tab.goto(kestrel.at('crm'))
  await tab.getByRole('button', { name: en.identifier.passkey }).click()
  await tab.getByText(en.passkey.cancelled).waitFor()
  await signIn(tab, person.username)
  expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
