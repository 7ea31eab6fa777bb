/** How people really use a browser: eight tabs, the Back button, a page left open over lunch, an impatient finger. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { PASSWORD } from '../support/gateway.ts'
import { greeting, identify, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'

const en = messagesFor('en')
const DESKS = Array.from({ length: 8 }, (_, i) => `desk-${i + 1}`)
let kestrel: Kestrel
let chromium: Chromium

beforeAll(async () => {
  const desk = (id: string) => ({
    id,
    name: `App ${id}`,
    tags: ['store'],
    policy: 'store-apps',
    audience: ['store'],
    line: 'an app of the store',
  })
  ;[kestrel, chromium] = await Promise.all([
    startKestrel({ apps: DESKS.map(desk) }),
    startChromium({ keepPages: true }),
  ])
})
afterEach(() => chromium.endVisits())
afterAll(async () => {
  await chromium?.close()
  await kestrel?.close()
})

const at = (app: string) => kestrel.at(app)
const errandOf = (tab: Page) => /\/signin\/([^/?]+)/.exec(tab.url())?.[1]

describe('eight tabs', () => {
  test('that opened eight apps need one sign-in; each then goes on to its own app', async () => {
    const { username, name } = await kestrel.hire()
    const visit = await chromium.visit()
    const tabs = await Promise.all(DESKS.map(() => visit.newPage()))
    await Promise.all(tabs.map((tab, i) => tab.goto(at(DESKS[i]!))))
    expect(new Set(tabs.map(errandOf)).size).toBe(8)
    // two of them had come further than the others
    await identify(tabs[6]!, username)
    await identify(tabs[7]!, username)

    await signIn(tabs[0]!, username)
    expect(await greeting(tabs[0]!)).toBe(`Hello ${name}.`)

    for (const i of [1, 2, 3]) await tabs[i]!.reload()
    for (const i of [4, 5]) {
      await tabs[i]!.fill('[name=username]', username)
      await tabs[i]!.click('form:has([name=username]) button.main')
    }
    await tabs[6]!.fill('[name=password]', PASSWORD)
    await tabs[6]!.click('button.main')
    await tabs[7]!.reload()
    for (const [i, tab] of tabs.entries()) {
      expect([i, await greeting(tab)]).toEqual([i, `Hello ${name}.`])
      expect(tab.url()).toBe(at(DESKS[i]!))
    }
    // one session, however many tabs
    const { id } = (await kestrel.gateway.server.house.people.find(username))!
    const sessions = await kestrel.gateway.server.house.sessions.ofPerson(id)
    expect(sessions).toHaveLength(1)
    expect(sessions[0]!.apps.map(({ app }) => app).sort()).toEqual(DESKS)
  }, 60_000)

  test('in which the password is typed at the same time all end in their apps', async () => {
    const { username, name } = await kestrel.hire()
    const visit = await chromium.visit()
    const tabs = await Promise.all(DESKS.slice(0, 3).map(() => visit.newPage()))
    for (const [i, tab] of tabs.entries()) {
      await tab.goto(at(DESKS[i]!))
      await identify(tab, username)
      await tab.fill('[name=password]', PASSWORD)
    }
    await Promise.all(tabs.map((tab) => tab.click('button.main')))
    for (const tab of tabs) expect(await greeting(tab)).toBe(`Hello ${name}.`)
  })
})

describe('the Back button', () => {
  test('after signing in never asks again and never breaks', async () => {
    const { username, name } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(at('desk-1'))
    await signIn(tab, username)
    await greeting(tab)
    // every entry of the history, down to the first
    for (let i = 0; i < 4; i++) {
      await tab.goBack({ waitUntil: 'commit' }).catch(() => undefined)
      if (tab.url() === 'about:blank') break
      expect(await greeting(tab)).toBe(`Hello ${name}.`)
      expect(tab.url()).toBe(at('desk-1'))
    }
  })

  test('before the password lets a name be corrected', async () => {
    const { username, name } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(at('desk-1'))
    await identify(tab, 'samm')
    await tab.goBack()
    await tab.locator('[name=username]:visible, [name=password]').first().waitFor()
    if (await tab.locator('[name=password]').count()) await tab.getByRole('link', { name: en.common.notYou }).click()
    await signIn(tab, username)
    expect(await greeting(tab)).toBe(`Hello ${name}.`)
  })

  test('after signing out shows nothing of the person', async () => {
    const { username, name } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(`${kestrel.issuer}/account`)
    await signIn(tab, username)
    await tab.getByText(name).first().waitFor()
    await tab.getByRole('link', { name: en.frame.apps }).click()
    await tab.getByRole('heading', { name: en.launcher.title }).waitFor()
    await tab.getByRole('link', { name: en.frame.signOut }).click()
    await tab.getByRole('button', { name: en.signOut.submit }).click()
    await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
    for (let i = 0; i < 6; i++) {
      await tab.goBack({ waitUntil: 'commit' }).catch(() => undefined)
      await tab.waitForLoadState()
      if (tab.url() === 'about:blank') break
      expect(await tab.locator('body').textContent()).not.toContain(name)
      expect(await tab.getByRole('link', { name: en.frame.signOut }).count()).toBe(0)
    }
  })
})

describe('a sign-in page left open too long', () => {
  /** What expiry does. */
  const expire = (tab: Page) => kestrel.gateway.server.house.storage.state.delete(`errand:${errandOf(tab)}`)

  test.each([
    ['sent', async (tab: Page) => tab.click('form:has([name=username]) button.main')],
    ['reloaded', async (tab: Page) => tab.reload()],
  ])('begins anew at its own app when it is %s', async (_, act) => {
    const { username, name } = await kestrel.hire()
    const tab = await chromium.tab()
    await tab.goto(at('desk-5'))
    const first = errandOf(tab)
    await tab.fill('[name=username]', username)
    await expire(tab)
    await act(tab)
    await tab.waitForURL((url) => url.pathname.startsWith('/signin/') && !url.pathname.includes(first!))
    await signIn(tab, username)
    expect(await greeting(tab)).toBe(`Hello ${name}.`)
    expect(tab.url()).toBe(at('desk-5'))
  })

  test('says so where nobody can tell which app it was for', async () => {
    const tab = await chromium.tab()
    await tab.goto(kestrel.issuer)
    await expire(tab)
    await tab.fill('[name=username]', 'somebody')
    await tab.click('form:has([name=username]) button.main')
    await tab.getByRole('heading', { name: en.expired.title }).waitFor()
    await tab.getByRole('link', { name: en.expired.again }).click()
    await tab.locator('[name=username]').waitFor()
  })
})

test('a second click while the answer is on its way sends nothing', async () => {
  const { username, name } = await kestrel.hire()
  const tab = await chromium.tab()
  const sent: string[] = []
  tab.on('request', (request) => request.method() === 'POST' && sent.push(request.postData() ?? ''))
  let arrive = () => {}
  const late = new Promise<void>((resolve) => {
    arrive = resolve
  })
  await tab.route(/\/signin\//, async (route) => {
    if (route.request().method() === 'POST') await late
    await route.continue()
  })
  await tab.goto(at('desk-1'))
  await tab.fill('[name=username]', username)
  const button = (await tab.locator('form:has([name=username]) button.main').boundingBox())!
  const press = () => tab.mouse.click(button.x + button.width / 2, button.y + button.height / 2)
  const first = tab.waitForRequest((request) => request.method() === 'POST')
  await press()
  await first
  await press()
  arrive()
  await tab.fill('[name=password]', PASSWORD)
  expect(sent).toHaveLength(1)
  await tab.click('button.main')
  expect(await greeting(tab)).toBe(`Hello ${name}.`)
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
