/** An app signs somebody out who came from another provider: the session ends there as well, and the app gets its person back. */
import { buildEndSessionUrl } from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { headingOf } from '../../demo/browser.ts'
import { cookiesOf, movableClock } from '../abuse/people.ts'
import {
  anApp,
  browserOf,
  type Federation,
  goThere,
  PARTNER,
  signInThere,
  startFederation,
} from '../support/federation.ts'
import { atCallback, CALLBACK, relyingParty } from '../support/relying-party.ts'

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
  const address = (more: Record<string, string>) =>
    buildEndSessionUrl(party.configuration, { id_token_hint: hint!, ...more }).href
  const toTheApp = { post_logout_redirect_uri: SIGNED_OUT, state: 'of the app' }
  /** All the way. Both ends are shown the ID token of their own session, so nobody asks. */
  const leave = (more: Record<string, string> = toTheApp) => browser.open(address(more))
  /** Only the answer here, from which the browser would go on to the provider. */
  async function beginToLeave(): Promise<string> {
    const answer = await fetch(address(toTheApp), { redirect: 'manual', headers: { cookie: cookiesOf(browser) } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      if (value === '') browser.jar.delete(name!)
      else browser.jar.set(name!, value!)
    }
    return answer.text()
  }
  return {
    browser,
    leave,
    beginToLeave,
    here: () => sessions.ofPerson(id),
    there: () => world.provider.server.house.sessions.ofPerson(theirs.id),
  }
}

test('the browser ends the session there in between, and comes to where the app wants it', async () => {
  const { leave, beginToLeave, here, there } = await signedIn('ann')
  expect(await beginToLeave()).toContain(`content="0;url=${world.provider.issuer}/oauth2/session/end?`)
  // whatever becomes of the way from here: this end has ended
  expect([(await here()).length, (await there()).length]).toEqual([0, 1])
  const other = await signedIn('ann')
  expect((await other.leave()).url.href).toBe(`${SIGNED_OUT}?state=of+the+app`)
  expect([await other.here(), (await other.there()).length]).toEqual([[], 1])
  // nobody is signed in here any more: the app has its person back at once
  expect((await leave()).url.href).toBe(`${SIGNED_OUT}?state=of+the+app`)
})

test('an app that names no address leaves the person with us', async () => {
  const { leave, there } = await signedIn('bob')
  const done = await leave({})
  expect([done.url.origin, headingOf(done)]).toEqual([world.gateway.issuer, 'You are signed out'])
  expect(done.url.pathname).toMatch(/^\/signed-out\//)
  expect(await there()).toEqual([])
})

test('whoever does not come back from there is not sent to that app by a later sign-out of their own', async () => {
  const first = await signedIn('cas')
  await first.beginToLeave()
  const again = await signedIn('cas', first.browser)
  const asked = await again.browser.open(`${world.gateway.issuer}/signout`)
  expect(headingOf(asked)).toBe('Sign out?')
  const done = await again.browser.submit({
    action: new URL(`${world.gateway.issuer}/signout`),
    fields: new URLSearchParams({ answer: 'allow' }),
  })
  expect([done.url.origin, headingOf(done)]).toEqual([world.gateway.issuer, 'You are signed out'])
})

test('the address of the app is for the browser that went, and for once', async () => {
  const { browser, beginToLeave } = await signedIn('dee')
  await beginToLeave()
  expect((await browserOf().open(`${world.gateway.issuer}/signout?on`)).url.pathname).toBe('/signout')
  expect((await browser.open(`${world.gateway.issuer}/signout`)).url.href).toContain(SIGNED_OUT)
  expect((await browser.open(`${world.gateway.issuer}/signout`)).url.pathname).toMatch(/^\/signed-out\//)
})

test('a provider that is down keeps nobody: they are signed out here and back at the app', async () => {
  // with the clock of the machine nothing that is known of the provider is looked up again
  clock.at = Date.now()
  const { leave, here } = await signedIn('eve')
  await world.provider.close()
  clock.at = Date.now()
  const done = await leave()
  expect(done.url.href).toBe(`${SIGNED_OUT}?state=of+the+app`)
  expect(await here()).toEqual([])
  expect(world.gateway.log()).toContain('"upstream-logout-failed"')
})
