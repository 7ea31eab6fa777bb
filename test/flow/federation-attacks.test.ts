/** What was found by attacking sign-ins at other providers, and stays mended. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formOf, headingOf } from '../../demo/browser.ts'
import { movableClock, post } from '../abuse/people.ts'
import { browserOf, type Federation, goThere, PARTNER, signInThere, startFederation } from '../support/federation.ts'
import { PASSWORD } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, relyingParty } from '../support/relying-party.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'

const clock = movableClock()
let slapd: Slapd
let world: Federation

beforeAll(async () => {
  slapd = await startSlapd(
    [
      { uid: 'lea', name: 'Lea', password: PASSWORD },
      { uid: 'mia', name: 'Mia', password: PASSWORD },
    ],
    { staff: ['lea', 'mia'] },
  )
  const about = { policy: 'plain', audience: ['*'] }
  const oidc = { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email'] }
  world = await startFederation({
    clock,
    theirs: ['lea', 'mia', 'new', 'glass'].map((username) => ({ username, name: username, groups: ['visitors'] })),
    ours: {
      policies: POLICIES,
      apps: [{ id: 'web', name: 'Web', ...about, oidc }] as never,
      people: [
        { username: 'al', name: 'Al', groups: ['staff'] },
        { username: 'glass', name: 'Glass', groups: ['staff'] },
      ],
      settings: { break_glass: ['Glass'] },
    },
    moreDirectories: [{ ...slapd.settings(), id: 'office' }],
  })
})
afterAll(async () => {
  await world?.close()
  await slapd?.end()
})

const opened = async (browser: Browser) => {
  const party = await relyingParty(world.gateway, 'web')
  const begun = await party.begin()
  return { page: await browser.open(begun.url.href), finish: (url: URL) => party.finish(begun, url) }
}
const theirs = async (username: string) => (await world.provider.server.house.people.find(username))!.id

test('whoever is gone from their own directory does not come in by another provider that they are connected to', async () => {
  const { people } = world.gateway.server.house
  const lea = (await people.find('lea'))!
  await people.link(lea.id, { directory: PARTNER, upstreamId: await theirs('lea') }, 'cli')
  const browser = browserOf()
  const { page, finish } = await opened(browser)
  const back = await signInThere(browser, await goThere(browser, page), 'lea')
  expect((await finish(back.url)).claims()!.sub).toBe(lea.id)
  await slapd.modify(`dn: ${slapd.dn('lea')}\nchangetype: delete\n`)
  const other = browserOf()
  const refused = await signInThere(other, await goThere(other, (await opened(other)).page), 'lea')
  expect(atCallback(refused)).toBe(false)
  expect(refused.status).toBe(403)
})

test('whoever thinks too long about who they are comes from there again', async () => {
  const browser = browserOf()
  const asked = await signInThere(browser, await goThere(browser, (await opened(browser)).page), 'new')
  expect(headingOf(asked)).toBe('Welcome')
  clock.at += 16 * 60_000
  const late = await browser.submit(formOf(asked, 'newcomer'), { answer: 'create' })
  expect(headingOf(late)).toBe('Sign in')
  expect(await world.gateway.server.house.people.list({ directory: PARTNER })).toEqual([])
  clock.at = Date.now()
})

test('an answer that comes after somebody else has gone through with the errand belongs to nobody', async () => {
  const { people, sessions } = world.gateway.server.house
  const mia = (await people.find('mia'))!
  await people.link(mia.id, { directory: PARTNER, upstreamId: await theirs('mia') }, 'cli')
  const browser = browserOf()
  const { page } = await opened(browser)
  const there = await goThere(browser, page)
  // another tab goes through with it here
  const here = await browser.open(page.url.href)
  const asked = await browser.submit(formOf(here, 'identifier'), { username: 'al' })
  const { action } = formOf(asked, 'password')
  // and does not go on to the app yet
  expect((await post(browser, action, { step: 'password', password: PASSWORD })).location).toContain('/oauth2/auth/')
  const late = await signInThere(browser, there, 'mia')
  expect(atCallback(late)).toBe(false)
  expect(await sessions.ofPerson(mia.id)).toEqual([])
})

test('whoever stands in break_glass signs in here, and not as from a provider that somebody has connected them to', async () => {
  const { people, sessions, audit } = world.gateway.server.house
  const glass = (await people.find('glass'))!
  await people.link(glass.id, { directory: PARTNER, upstreamId: await theirs('glass') }, 'cli')
  const browser = browserOf()
  const refused = await signInThere(browser, await goThere(browser, (await opened(browser)).page), 'glass')
  expect([atCallback(refused), refused.status]).toEqual([false, 403])
  const [reference] = /E-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(refused.text)!
  const line = world.gateway
    .log()
    .split('\n')
    .find((one) => one.includes('"upstream-refused"') && one.includes(reference))
  expect(line).toContain('"local-sign-in-only"')
  expect((await audit.search({ event: 'upstream-refused' }))[0]).toMatchObject({ reason: PARTNER })
  expect(await sessions.ofPerson(glass.id)).toEqual([])
  // from the same page, with the password here
  const asked = await browser.submit(formOf(refused, 'identifier'), { username: 'glass' })
  expect(atCallback(await browser.submit(formOf(asked, 'password'), { password: PASSWORD }))).toBe(true)
})
