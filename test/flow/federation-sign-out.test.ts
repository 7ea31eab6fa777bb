/** An app signs somebody out who came from another provider: the session ends there as well, and the app gets its person back. */
import { buildEndSessionUrl } from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Form, formsOf, headingOf, type Page } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import {
  anApp,
  browserOf,
  type Federation,
  goThere,
  PARTNER,
  signInThere,
  startFederation,
} from '../support/federation.ts'
import { atCallback, type Browser, CALLBACK, relyingParty } from '../support/relying-party.ts'

const clock = movableClock()
const SIGNED_OUT = `${CALLBACK}/signed-out`
let world: Federation

beforeAll(async () => {
  const app = anApp('web')
  world = await startFederation({
    clock,
    theirs: ['ann', 'bob', 'cas', 'dee', 'eve'].map((username) => ({ username, name: username, groups: ['visitors'] })),
    ours: { apps: [{ ...app, oidc: { ...app.oidc, post_logout_redirect_uris: [SIGNED_OUT] } }] as never },
    directory: { newcomers: 'create' },
  })
})
// the last test ends the other one
afterAll(() => world.gateway.close())

async function signedIn(username: string, browser = browserOf()) {
  const party = await relyingParty(world.gateway, 'web')
  const begun = await party.begin()
  let page = await browser.open(begun.url.href)
  page = await goThere(browser, page)
  // whoever is still signed in there is not asked
  if (!atCallback(page)) page = await signInThere(browser, page, username)
  const { id_token: hint } = await party.finish(begun, page.url)
  const { people, sessions } = world.gateway.server.house
  const { id } = (await people.list({ directory: PARTNER, search: username }))[0]!
  const theirs = (await world.provider.server.house.people.find(username))!
  /** The page that asks whether that is meant. */
  const leave = (more: Record<string, string> = { post_logout_redirect_uri: SIGNED_OUT, state: 'of the app' }) =>
    browser.open(buildEndSessionUrl(party.configuration, { id_token_hint: hint!, ...more }).href)
  return {
    browser,
    leave,
    here: () => sessions.ofPerson(id),
    there: () => world.provider.server.house.sessions.ofPerson(theirs.id),
  }
}

const confirmed = (browser: Browser, page: Page) => {
  const form = formsOf(page).find(({ fields }) => fields.has('xsrf')) as Form
  return browser.submit(form, { logout: 'yes' })
}
const isThere = ({ url }: Page) => url.origin === world.provider.issuer

test('the browser ends the session there in between, and comes to where the app wants it', async () => {
  const { browser, leave, here, there } = await signedIn('ann')
  const asked = await leave()
  expect([asked.url.origin, (await here()).length]).toEqual([world.gateway.issuer, 1])
  const between = await confirmed(browser, asked)
  expect([isThere(between), between.url.pathname]).toEqual([true, '/oauth2/session/end'])
  // whatever becomes of the way from here: this end has ended
  expect(await here()).toEqual([])
  const done = await confirmed(browser, between)
  expect(done.url.href).toBe(`${SIGNED_OUT}?state=of+the+app`)
  expect(await there()).toEqual([])
})

test('an app that names no address leaves the person with us', async () => {
  const { browser, leave, there } = await signedIn('bob')
  const done = await confirmed(browser, await confirmed(browser, await leave({})))
  expect([done.url.origin, headingOf(done)]).toEqual([world.gateway.issuer, 'You are signed out'])
  expect(done.url.pathname).toBe('/oauth2/session/end/success')
  expect(await there()).toEqual([])
})

test('whoever does not come back from there is not sent to that app by a later sign-out of their own', async () => {
  const first = await signedIn('cas')
  expect(isThere(await confirmed(first.browser, await first.leave()))).toBe(true)
  const again = await signedIn('cas', first.browser)
  const asked = await again.browser.open(`${world.gateway.issuer}/signout`)
  expect(headingOf(asked)).toBe('Sign out?')
  const between = await again.browser.submit({
    action: new URL(`${world.gateway.issuer}/signout`),
    fields: new URLSearchParams({ answer: 'allow' }),
  })
  const done = await confirmed(again.browser, between)
  expect([done.url.origin, headingOf(done)]).toEqual([world.gateway.issuer, 'You are signed out'])
})

test('the address of the app is for the browser that went, and for once', async () => {
  const { browser, leave } = await signedIn('dee')
  await confirmed(browser, await leave())
  expect((await browserOf().open(`${world.gateway.issuer}/signout?on`)).url.pathname).toBe('/signout')
  expect((await browser.open(`${world.gateway.issuer}/signout`)).url.href).toContain(SIGNED_OUT)
  expect((await browser.open(`${world.gateway.issuer}/signout`)).url.pathname).toBe('/signout')
})

test('a provider that is down keeps nobody: they are signed out here and back at the app', async () => {
  // with the clock of the machine nothing that is known of the provider is looked up again
  clock.at = Date.now()
  const { browser, leave, here } = await signedIn('eve')
  await world.provider.close()
  const asked = await leave()
  clock.at = Date.now()
  const done = await confirmed(browser, asked)
  expect(done.url.href).toBe(`${SIGNED_OUT}?state=of+the+app`)
  expect(await here()).toEqual([])
  expect(world.gateway.log()).toContain('"upstream-logout-failed"')
})
