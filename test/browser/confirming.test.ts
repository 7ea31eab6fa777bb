/** An app asks, and the screen that somebody has open anyway shows it: by itself, with and without scripts, to a keyboard too. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { ask, CIBA, poll } from '../support/ciba.ts'
import type { Gateway } from '../support/gateway.ts'
import { type Hired, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'

const en = messagesFor('en')
let kestrel: Kestrel
let gateway: Gateway
let chromium: Chromium

beforeAll(async () => {
  ;[kestrel, chromium] = await Promise.all([startKestrel(), startChromium()])
  const { clientSecret } = await kestrel.gateway.server.house.catalog.apps.register(
    {
      ...{ id: 'care-desk', name: 'Care desk', policy: 'store-apps', tags: ['store'], audience: ['staff'] },
      oidc: { redirect_uris: [], scopes: ['openid', 'profile'], grant_types: [CIBA] },
    } as never,
    'test',
  )
  gateway = { ...kestrel.gateway, secrets: new Map([['care-desk', clientSecret!]]) }
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

async function opened(person: Hired, options = {}): Promise<Page> {
  const tab = await chromium.tab(options)
  await tab.clock.install()
  await tab.goto(kestrel.issuer)
  await signIn(tab, person.username)
  await tab.getByRole('heading', { name: en.launcher.title }).waitFor()
  return tab
}
const asked = (person: Hired, binding_message: string) =>
  ask(gateway, 'care-desk', { login_hint: person.username, scope: 'openid profile', binding_message })
const judged = async (tab: Page) => (await new AxeBuilder({ page: tab }).setLegacyMode().analyze()).violations

test('a page that is left open shows the question, and the answer reaches the app', async () => {
  const person = await kestrel.hire()
  const tab = await opened(person)
  const { body } = await asked(person, 'Desk 12, code 4711')
  expect(await tab.getByText(en.confirming.waiting).count()).toBe(0)
  await tab.clock.runFor(6000)
  await tab.getByRole('heading', { name: en.confirming.waiting }).waitFor()
  expect(await judged(tab)).toEqual([])
  // it is read out, and nothing that somebody was about to press has moved away from under the finger
  expect(await tab.locator('[data-asked]').getAttribute('aria-live')).toBe('polite')

  await tab.getByRole('link', { name: `${en.confirming.look} Care desk` }).press('Enter')
  await tab.getByRole('heading', { name: en.confirming.title.replace('{app}', 'Care desk') }).waitFor()
  expect(await tab.locator('.said').textContent()).toBe('Desk 12, code 4711')
  expect(await judged(tab)).toEqual([])
  await tab.getByRole('button', { name: en.confirming.approve }).press('Enter')
  await tab.getByText(en.confirming.done.approved).waitFor()
  expect(await judged(tab)).toEqual([])
  expect((await poll(gateway, 'care-desk', body['auth_req_id'])).body).toMatchObject({ token_type: 'Bearer' })
})

test('what was answered elsewhere goes from the page by itself', async () => {
  const person = await kestrel.hire()
  await asked(person, 'one')
  const tab = await opened(person)
  await tab.getByRole('heading', { name: en.confirming.waiting }).waitFor()
  const other = await tab.context().newPage()
  await other.goto(kestrel.issuer)
  await other.getByRole('link', { name: `${en.confirming.look} Care desk` }).click()
  await other.getByText(en.confirming.disown).click()
  await other.getByRole('button', { name: en.confirming.disownSubmit }).click()
  await other.getByText(en.confirming.done.disowned).waitFor()
  await tab.clock.runFor(6000)
  await tab.getByRole('heading', { name: en.confirming.waiting }).waitFor({ state: 'detached' })
})

test('without scripts the page shows it once it is loaded again', async () => {
  const person = await kestrel.hire()
  const tab = await chromium.tab({ javaScriptEnabled: false })
  await tab.goto(kestrel.issuer)
  await signIn(tab, person.username)
  const { body } = await asked(person, 'one')
  await tab.reload()
  await tab.getByRole('link', { name: `${en.confirming.look} Care desk` }).click()
  await tab.getByRole('button', { name: en.confirming.refuse, exact: true }).click()
  await tab.getByText(en.confirming.done.refused).waitFor()
  expect((await poll(gateway, 'care-desk', body['auth_req_id'])).body).toMatchObject({ error: 'access_denied' })
})

test('a page that nobody looks at asks nothing, and one whose session is over stops', async () => {
  const person = await kestrel.hire()
  const tab = await opened(person)
  const looks: string[] = []
  tab.on('response', (response) => response.url().endsWith('/confirmations') && looks.push(response.url()))
  await tab.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await tab.clock.runFor(60_000)
  expect(looks).toEqual([])
  await gateway.server.house.sessions.endAll(person.id, 'test', 'test')
  const last = tab.waitForResponse((response) => response.url().endsWith('/confirmations'))
  await tab.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => false, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  expect(await (await last).text()).not.toContain('<section')
  await tab.clock.runFor(120_000)
  expect(looks).toHaveLength(1)
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
