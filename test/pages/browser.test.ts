/** What the browser's scripts do, in a real browser under the real Content-Security-Policy. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { messagesFor, type View } from '#pages'
import { html } from '../../src/pages/markup.ts'
import { openBrowser, openSite, type Site } from './browser.ts'
import { CREATION_OPTIONS, page, samples } from './samples.ts'

const en = messagesFor('en')
const views = samples(en)
let browser: Browser
let site: Site
let context: BrowserContext | undefined

beforeAll(async () => {
  site = await openSite((path) => {
    const view = path === '/leaving' ? leaving() : views[path.slice(1)]
    return view && page(view, 'en')
  })
  browser = await openBrowser()
})
afterEach(async () => {
  await context?.close()
  site.posted.length = 0
})
afterAll(async () => {
  await browser?.close()
  await site?.close()
})

/** Two apps are told out of sight, one by an address; then the browser goes on, all by forms. */
const leaving = (): View => ({
  title: 'Leaving',
  body: html`<h1>Leaving</h1>`,
  frames: [
    { url: `${site.origin}/first`, fields: { message: 'one', state: '"<&' } },
    { url: `${site.origin}/password` },
    { url: `${site.origin}/second`, fields: { message: 'two' } },
  ],
  postOn: { url: `${site.origin}/on`, fields: { message: 'three' }, after: 2 },
})

async function open(
  name: string,
  options: Parameters<Browser['newContext']>[0] & { authenticator?: boolean } = {},
): Promise<Page> {
  const { authenticator, ...rest } = options
  context = await browser.newContext(rest)
  const tab = await context.newPage()
  if (authenticator) await addAuthenticator(tab)
  await tab.goto(`${site.origin}/${name}`)
  return tab
}

/** A platform authenticator that says yes at once, with one passkey for this site. */
async function addAuthenticator(tab: Page): Promise<void> {
  const devtools = await tab.context().newCDPSession(tab)
  await devtools.send('WebAuthn.enable')
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  } as const
  await devtools.send('WebAuthn.addVirtualAuthenticator', { options })
}
const isPosted = () => expect.poll(() => site.posted.length).toBe(1)

test('a password is sent without JavaScript, and a passkey is not offered', async () => {
  const tab = await open('password', { javaScriptEnabled: false })
  expect(await tab.locator('[data-reveal]').isVisible()).toBe(false)
  await tab.fill('[name=password]', 'correct horse')
  await tab.click('button.main')
  expect([...site.posted[0]!.fields]).toEqual([
    ['step', 'password'],
    ['tab', '1'],
    ['username', 'sam.jansen'],
    ['password', 'correct horse'],
  ])
  await tab.goto(`${site.origin}/identifier`)
  expect(await tab.locator('[data-passkey]').isVisible()).toBe(false)
  await tab.goto(`${site.origin}/passkey`)
  expect(await tab.getByText(en.common.needsScript).isVisible()).toBe(true)
  expect(await tab.getByRole('link', { name: en.common.otherWay }).isVisible()).toBe(true)
})

test('a form is sent once, however often the button is pressed, and again after Back', async () => {
  const tab = await open('totp')
  await tab.fill('[name=code]', '123456')
  const stopped = await tab.evaluate(() => {
    const form = document.forms[0]!
    const seen: boolean[] = []
    addEventListener('submit', (event) => seen.push(event.defaultPrevented)) // after the page's own listener
    form.requestSubmit()
    form.requestSubmit()
    return seen
  })
  expect(stopped).toEqual([false, true])
  await isPosted()
  await tab.waitForURL(/signin/)
  await tab.goBack()
  await tab.fill('[name=code]', '654321')
  await tab.click('button.main')
  await expect.poll(() => site.posted.map(({ fields }) => fields.get('code'))).toEqual(['123456', '654321'])
})

test('messages for apps go by themselves: out of sight, and then with the page', async () => {
  const tab = await open('leaving')
  await tab.waitForURL(`${site.origin}/on`)
  const sent = site.posted.map(({ path, fields }) => [path, Object.fromEntries(fields)])
  expect(sent.slice(0, 2)).toEqual(
    expect.arrayContaining([
      ['/first', { message: 'one', state: '"<&' }],
      ['/second', { message: 'two' }],
    ]),
  )
  expect(sent.slice(2)).toEqual([['/on', { message: 'three' }]])
})

test('without scripts nothing goes by itself, and a button leads on', async () => {
  const tab = await open('leaving', { javaScriptEnabled: false })
  await tab.getByRole('button', { name: en.common.continue }).click()
  await tab.waitForURL(`${site.origin}/on`)
  expect(site.posted.map(({ path }) => path)).toEqual(['/on'])
})

test('the button that was pressed is part of what is sent', async () => {
  const tab = await open('consent')
  await tab.getByRole('button', { name: en.consent.deny }).click()
  await isPosted()
  expect(site.posted[0]!.fields.get('answer')).toBe('deny')
})

test('a password can be looked at, and is a password again when it is sent', async () => {
  const tab = await open('password')
  await tab.fill('[name=password]', 'correct horse')
  await tab.getByRole('button', { name: en.password.show }).click()
  expect(await tab.getAttribute('[name=password]', 'type')).toBe('text')
  await tab.getByRole('button', { name: en.password.hide }).click()
  expect(await tab.getAttribute('[name=password]', 'type')).toBe('password')
})

test('times are shown by the clock of the person’s own zone', async () => {
  const tab = await open('why', { timezoneId: 'Europe/Amsterdam' })
  for (const time of await tab.locator('time').allTextContents()) expect(time).toContain('10:00')
  expect(await tab.locator('time').count()).toBe(2)
})

test('a passkey is added, then used by the button, then by autofill', async () => {
  const tab = await open('enrol-passkey', { authenticator: true })
  await tab.getByRole('button', { name: en.enrolPasskey.submit }).click()
  await isPosted()
  const made = JSON.parse(site.posted[0]!.fields.get('credential')!)
  expect(made).toMatchObject({
    type: 'public-key',
    response: { attestationObject: expect.any(String), clientDataJSON: expect.any(String) },
  })
  expect(site.posted[0]!.fields.get('step')).toBe('enrol-passkey')

  // a form that was sent leads somewhere: going on at the same moment would race with it
  await tab.waitForURL('**/signin/**')
  await tab.goto(`${site.origin}/passkey`)
  expect(await tab.getByText(en.common.needsScript).isVisible()).toBe(false)
  await tab.getByRole('button', { name: en.passkey.submit }).click()
  await expect.poll(() => site.posted.length).toBe(2)
  const used = site.posted[1]!.fields
  expect(JSON.parse(used.get('credential')!)).toMatchObject({
    id: made.id,
    response: { signature: expect.any(String), userHandle: CREATION_OPTIONS.user.id },
  })
  expect(used.get('remember')).toBe('yes')

  await tab.waitForURL('**/signin/**')
  // the user-name field with `webauthn` in autocomplete offers it; the virtual authenticator takes the offer
  await tab.goto(`${site.origin}/identifier`)
  await expect.poll(() => site.posted.length).toBe(3)
  expect([...site.posted[2]!.fields.keys()]).toEqual(['step', 'tab', 'credential'])
  expect(site.posted[2]!.fields.get('step')).toBe('identifier')
})

test('where nothing was confirmed, the page says so and nothing is sent', async () => {
  const tab = await open('passkey')
  await tab.evaluate(() => {
    navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError'))
  })
  await tab.getByRole('button', { name: en.passkey.submit }).click()
  await expect.poll(() => tab.locator('[data-status]').textContent()).toBe(en.passkey.cancelled)
  expect(site.posted).toEqual([])
})
