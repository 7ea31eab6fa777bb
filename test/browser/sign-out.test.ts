/** Signing out ends everything: the session here, and by back-channel the sessions of the apps. Then the next person. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { messagesFor } from '#pages'
import { type Chromium, startChromium } from '../support/chromium.ts'
import { greeting, type Hired, type Kestrel, signIn, startKestrel } from '../support/kestrel.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'

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

/** Somebody with three apps open. */
async function atWork(): Promise<{ tab: Page; person: Hired }> {
  const person = await kestrel.hire()
  const tab = await chromium.tab()
  await tab.goto(kestrel.at('crm'))
  await signIn(tab, person.username)
  for (const app of ['crm', 'tills', 'rota']) {
    await tab.goto(kestrel.at(app))
    expect(await greeting(tab)).toBe(`Hello ${person.name}.`)
  }
  return { tab, person }
}

/** The clockwork may have begun to send by itself: waits until every app has answered. */
async function appsHaveHeard(): Promise<void> {
  await kestrel.gateway.server.tick()
  await expect.poll(() => kestrel.gateway.server.house.outbox.pending()).toBe(0)
}

const sessionsOf = (person: Hired) => kestrel.gateway.server.house.sessions.ofPerson(person.id)
const confirm = (tab: Page) => tab.getByRole('button', { name: en.signOut.submit }).click()

/** Opens the app: it knows nobody any more, and neither does the gateway. */
async function expectAsked(tab: Page, app: string): Promise<void> {
  await tab.goto(kestrel.at(app))
  expect([app, await tab.locator('[name=username]').isVisible()]).toEqual([app, true])
}

describe('signing out', () => {
  test('from an app goes back to that app, and ends the session here and in every other app', async () => {
    const { tab, person } = await atWork()
    await tab.goto(kestrel.at('crm'))
    await tab.getByRole('link', { name: 'Sign out' }).click()
    // the app has shown the ID token of this very session: nobody is asked
    await tab.getByText('You are signed out.').waitFor()
    expect(tab.url().startsWith(kestrel.at('crm', '/signed-out'))).toBe(true)
    expect(await sessionsOf(person)).toEqual([])
    await appsHaveHeard()
    for (const app of ['tills', 'rota', 'crm']) await expectAsked(tab, app)
  })

  test('from the launcher does the same', async () => {
    const { tab, person } = await atWork()
    await tab.goto(kestrel.issuer)
    await tab.getByRole('link', { name: en.frame.signOut }).click()
    await confirm(tab)
    await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
    // two seconds are enough for apps that answer; the page looks again where they were not
    await tab.getByText(en.signedOut.all).waitFor()
    expect(await sessionsOf(person)).toEqual([])
    expect(await tab.textContent('main')).not.toContain(person.username)
    for (const app of ['crm', 'tills', 'rota']) await expectAsked(tab, app)
    await tab.goto(kestrel.issuer)
    expect(await tab.locator('[name=username]').isVisible()).toBe(true)
  })

  test('can be thought better of', async () => {
    const { tab, person } = await atWork()
    await tab.goto(kestrel.issuer)
    await tab.getByRole('link', { name: en.frame.signOut }).click()
    await tab.getByRole('link', { name: en.signOut.stay }).click()
    await tab.getByRole('heading', { name: en.launcher.title }).waitFor()
    expect(await sessionsOf(person)).toHaveLength(1)
  })

  test('on one device leaves the other one alone, until it is ended from the account page', async () => {
    const { tab, person } = await atWork()
    const phone = await chromium.tab()
    await phone.goto(kestrel.at('rota'))
    await signIn(phone, person.username)
    await greeting(phone)
    expect(await sessionsOf(person)).toHaveLength(2)
    await phone.goto(`${kestrel.issuer}/account`)
    await phone.getByRole('button', { name: en.account.endOthers }).click()
    await phone.getByText(en.notices['sessions-ended']).waitFor()
    expect(await sessionsOf(person)).toHaveLength(1)
    await appsHaveHeard()
    await expectAsked(tab, 'tills')
    await phone.goto(kestrel.at('rota'))
    expect(await greeting(phone)).toBe(`Hello ${person.name}.`)
  })

  test('a person who is switched off is out of every app at once', async () => {
    const { tab, person } = await atWork()
    await kestrel.gateway.server.house.people.disable(person.id, 'test')
    await appsHaveHeard()
    for (const app of ['crm', 'tills', 'rota']) await expectAsked(tab, app)
  })
})

describe('an app that only the browser can tell', () => {
  let framed: ListeningApp
  beforeAll(async () => {
    framed = await startListeningApp(() => kestrel.issuer)
    const oidc = {
      redirect_uris: [`${framed.origin}/callback`],
      scopes: ['openid'],
      pkce: 'optional' as const,
      frontchannel_logout_uri: `${framed.origin}/front`,
    }
    const about = { id: 'framed', name: 'Old counter', policy: 'default', audience: ['staff'], oidc }
    await kestrel.gateway.server.house.catalog.apps.register(about, 'test')
  })
  afterAll(() => framed?.close())

  async function atTheOldCounter(): Promise<{ tab: Page; sid: string; person: Hired }> {
    const { tab, person } = await atWork()
    const query = {
      client_id: 'framed',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: `${framed.origin}/callback`,
      state: 'x',
    }
    await tab.goto(`${kestrel.issuer}/oauth2/auth?${new URLSearchParams(query)}`)
    await tab.getByText('out').waitFor()
    const [session] = await sessionsOf(person)
    framed.loaded.length = 0
    return { tab, person, sid: session!.apps.find(({ app }) => app === 'framed')!.sid }
  }
  const told = () =>
    framed.loaded.filter(({ pathname }) => pathname === '/front').map(({ searchParams }) => searchParams.get('sid'))

  test('is told by the page after a sign-out, and named as one that cannot confirm', async () => {
    const { tab, sid } = await atTheOldCounter()
    await tab.goto(`${kestrel.issuer}/signout`)
    await confirm(tab)
    await tab.getByText('3 of 4 apps confirmed').waitFor()
    await tab.getByText(en.signedOut.states.asked).waitFor()
    await expect.poll(told).toEqual([sid])
    // the Back button shows nothing of the person
    await tab.goBack()
    await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
  })

  test('is told by the next sign-in page, where the session ended without the browser', async () => {
    const { tab, sid, person } = await atTheOldCounter()
    await kestrel.gateway.server.house.sessions.endAll(person.id, 'ended-by-administrator', 'cli')
    await tab.goto(kestrel.issuer)
    await tab.waitForSelector('[name=username]')
    await expect.poll(told).toEqual([sid])
  })

  test('is told before the browser goes back to the app that signs somebody out', async () => {
    const { tab, sid } = await atTheOldCounter()
    await tab.goto(kestrel.at('crm'))
    await tab.getByRole('link', { name: 'Sign out' }).click()
    await tab.getByText('You are signed out.').waitFor()
    expect(tab.url().startsWith(kestrel.at('crm', '/signed-out'))).toBe(true)
    expect(told()).toEqual([sid])
  })
})

test('everywhere, from the account page, signs out here too', async () => {
  const { tab, person } = await atWork()
  const phone = await chromium.tab()
  await phone.goto(kestrel.at('rota'))
  await signIn(phone, person.username)
  await greeting(phone)
  await phone.goto(`${kestrel.issuer}/account`)
  await phone.getByRole('button', { name: en.account.endAll, exact: true }).click()
  await phone.getByRole('heading', { name: en.signedOut.title }).waitFor()
  await phone.getByText(en.signedOut.all).waitFor()
  expect(await sessionsOf(person)).toEqual([])
  await appsHaveHeard()
  for (const app of ['crm', 'tills', 'rota']) await expectAsked(tab, app)
  await expectAsked(phone, 'rota')
})

describe('two people after each other in one browser', () => {
  test('each find their own name in every app', async () => {
    const { tab, person } = await atWork()
    await tab.goto(`${kestrel.issuer}/signout`)
    await confirm(tab)
    await tab.getByRole('heading', { name: en.signedOut.title }).waitFor()
    await appsHaveHeard()
    const next = await kestrel.hire()
    await tab.goto(kestrel.at('crm'))
    expect(await tab.inputValue('[name=username]')).toBe('')
    await signIn(tab, next.username)
    for (const app of ['crm', 'tills', 'rota']) {
      await tab.goto(kestrel.at(app))
      expect(await greeting(tab)).toBe(`Hello ${next.name}.`)
    }
    await tab.goto(`${kestrel.issuer}/account`)
    await tab.getByText(next.username).first().waitFor()
    expect(await tab.textContent('main')).not.toContain(person.username)
  })

  test('also where the first one forgot to sign out', async () => {
    const { tab, person } = await atWork()
    const next = await kestrel.hire()
    // the risky app asks for more: somebody else is standing there
    await tab.goto(kestrel.at('sim-swap'))
    await tab.goto(`${tab.url()}&somebody-else`)
    await signIn(tab, next.username)
    await tab.getByRole('heading', { name: en.enrolChoice.title }).waitFor()
    expect(await sessionsOf(person)).toEqual([])
    expect(await sessionsOf(next)).toHaveLength(1)
    await appsHaveHeard()
    for (const app of ['crm', 'tills', 'rota']) {
      await tab.goto(kestrel.at(app))
      expect([app, await greeting(tab)]).toEqual([app, `Hello ${next.name}.`])
    }
  })
})

test('no script failed and nothing was stopped by our own Content-Security-Policy', () => {
  expect(chromium.troubles).toEqual([])
})
