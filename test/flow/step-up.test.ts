/**
 * Step-up: an app asks for more than the session has (OIDC Core §3.1.2.1 and §5.5.1.1, RFC 9470, OpenID Connect Core Unmet
 * Authentication Requirements 1.0), and comes back with it, or hears that it cannot be.
 */
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import { giveTotp, movableClock, post, stepOf } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, relyingParty, signIn, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const OTHER_CALLBACK = 'http://localhost:9/callback/two'

const anApp = (id: string, more: object = {}, oidcMore: object = {}) => ({
  id,
  name: `App ${id}`,
  policy: 'plain',
  audience: ['*'],
  ...more,
  oidc: { redirect_uris: [CALLBACK, OTHER_CALLBACK], scopes: ['openid', 'profile', 'email'], ...oidcMore },
})

/** Nobody may add a factor on the way: whoever lacks it has come to an end. */
const NOTHING_IS_ADDED = `policy: account
rules:
  - { name: only with two, allow: { strength: two-factors } }
`
const OWN = 'strengths:\n  card: [[password, recovery-code]]\n'

let gateway: Gateway
const clock = movableClock()
const secrets = new Map<string, string>()
let people = 0
const browserOf = () => createBrowser({ stopAt: CALLBACK })

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    policies: { ...POLICIES, 'account.yaml': NOTHING_IS_ADDED, 'strengths.yaml': OWN },
    apps: [
      anApp('web'),
      anApp('desk'),
      anApp('strict', { policy: 'strict' }),
      anApp('closed', { policy: 'closed' }),
      anApp('theirs', { first_party: false }),
      anApp(
        'stays',
        {},
        {
          grant_types: ['authorization_code', 'refresh_token'],
          scopes: ['openid', 'profile', 'email', 'offline_access'],
        },
      ),
      { id: 'api', template: 'machine', policy: 'plain', tags: ['resource-server'] },
    ] as never,
  })
})
afterAll(() => gateway.close())

/** Somebody new of the staff, with an authenticator app unless told otherwise. */
async function somebody(withTotp = true): Promise<string> {
  const username = `person${++people}`
  const { people: directory } = gateway.server.house
  const { id } = await directory.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  if (withTotp) {
    secrets.set(username, await giveTotp(gateway, id, clock.now()))
    clock.at += 30_000
  }
  return username
}

/** Types the code of this moment, which is then spent. */
async function giveCode(browser: Browser, page: Page, username: string): Promise<Page> {
  const next = await browser.submit(formOf(page, 'totp'), { code: totpCode(secrets.get(username)!, clock.now()) })
  clock.at += 30_000
  return next
}

const claimed = (acr: object) => JSON.stringify({ id_token: { acr } })
/** Everything with which a request can ask for two factors. */
const FORMS: readonly (readonly [string, Record<string, string>])[] = [
  ['acr_values', { acr_values: 'two-factors' }],
  ['several acr_values, the best of which is out of reach', { acr_values: 'hardware two-factors' }],
  ['acr_values of which one does not exist here', { acr_values: 'urn:made:up two-factors' }],
  ['an essential claim with a value', { claims: claimed({ essential: true, value: 'two-factors' }) }],
  ['an essential claim with values', { claims: claimed({ essential: true, values: ['hardware', 'two-factors'] }) }],
  ['a claim with a value', { claims: claimed({ value: 'two-factors' }) }],
  ['a claim with values', { claims: claimed({ values: ['two-factors'] }) }],
  [
    'an essential claim beside weaker acr_values',
    { acr_values: 'any', claims: claimed({ essential: true, value: 'two-factors' }) },
  ],
  ['acr_values beside a weaker claim', { acr_values: 'two-factors', claims: claimed({ value: 'any' }) }],
]

describe('what a request can ask for', () => {
  test.each(FORMS)('%s', async (_, parameters) => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, username)
    const begun = await party.begin(parameters)
    const asked = await browser.open(begun.url.href)
    // not the name again, and not the password
    expect(stepOf(asked)).toBe('totp')
    const back = await giveCode(browser, asked, username)
    const claims = (await party.finish(begun, back.url)).claims()!
    expect(claims['acr']).toBe('two-factors')
    expect(claims['amr']).toEqual(expect.arrayContaining(['pwd', 'otp', 'mfa']))
    // and then not again
    expect(atCallback(await browser.open((await party.begin(parameters)).url.href))).toBe(true)
  })

  test.each(FORMS)('%s: nothing is asked in silence', async (_, parameters) => {
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, await somebody())
    const page = await browser.open((await party.begin({ ...parameters, prompt: 'none' })).url.href)
    expect(page.url.searchParams.get('error')).toBe('interaction_required')
  })

  test.each(FORMS)('%s: whoever is not signed in gives everything in one conversation', async (_, parameters) => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    const begun = await party.begin(parameters)
    const page = await typePassword(browser, await browser.open(begun.url.href), username)
    const back = await giveCode(browser, page, username)
    expect((await party.finish(begun, back.url)).claims()!['acr']).toBe('two-factors')
  })

  test('pushed before (RFC 9126), it asks for as much', async () => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, username)
    const begun = await party.begin({ acr_values: 'two-factors' })
    const pushed = await oidc.buildAuthorizationUrlWithPAR(
      party.configuration,
      Object.fromEntries(begun.url.searchParams),
    )
    const back = await giveCode(browser, await browser.open(pushed.href), username)
    expect((await party.finish(begun, back.url)).claims()!['acr']).toBe('two-factors')
  })

  test('a maximum age is met by what is given anew, and the app reads when that was', async () => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'strict')
    const begun = await party.begin()
    await giveCode(browser, await typePassword(browser, await browser.open(begun.url.href), username), username)
    clock.at += 20 * 60_000
    const young = await party.begin({ max_age: '3600' })
    expect(atCallback(await browser.open(young.url.href))).toBe(true)
    const old = await party.begin({ max_age: '600' })
    let page = await browser.open(old.url.href)
    for (let asked = 0; !atCallback(page) && asked < 2; asked++)
      page =
        stepOf(page) === 'totp'
          ? await giveCode(browser, page, username)
          : await browser.submit(formOf(page, 'password'), { password: PASSWORD })
    const claims = (await party.finish(old, page.url)).claims()!
    expect(claims['acr']).toBe('two-factors')
    expect(claims['auth_time']).toBeGreaterThanOrEqual(Math.floor(clock.now() / 1000) - 120)
  })

  test.each([
    ['a value that is no text', { essential: true, value: 5 }],
    ['values that are no list', { essential: true, values: 'two-factors' }],
    ['a list with something else in it', { values: ['two-factors', null] }],
    ['essential as a word', { essential: 'yes', value: 'two-factors' }],
    ['a text', 'two-factors'],
  ])('a claim that nobody can read is refused, not taken for none: %s', async (_, acr) => {
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, await somebody())
    const page = await browser.open((await party.begin({ claims: claimed(acr as object) })).url.href)
    expect(page.url.searchParams.get('error')).toBe('invalid_request')
    expect(page.url.searchParams.get('code')).toBeNull()
  })

  test('a claim without values asks for nothing but to be told', async () => {
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    const { tokens } = await signIn(browser, party, await somebody(), {
      claims: '{"id_token":{"acr":null,"auth_time":{"essential":true}}}',
    })
    expect(tokens.claims()).toMatchObject({ acr: 'any', amr: ['pwd'] })
  })
})

describe('what the app is told is of one piece', () => {
  test('a strength is told with the age of the oldest factor that it takes', async () => {
    const username = await somebody()
    const browser = browserOf()
    const [web, desk] = [await relyingParty(gateway, 'web'), await relyingParty(gateway, 'desk')]
    const first = (await signIn(browser, web, username)).tokens.claims()!
    clock.at += 60 * 60_000
    const begun = await desk.begin({ acr_values: 'two-factors' })
    const back = await giveCode(browser, await browser.open(begun.url.href), username)
    const claims = (await desk.finish(begun, back.url)).claims()!
    expect(claims).toMatchObject({ acr: 'two-factors', auth_time: first['auth_time'] })
    // an app that asks for nothing hears the same of the same session
    const silent = await web.begin()
    const opened = await browser.open(silent.url.href)
    const told = (await web.finish(silent, opened.url)).claims()!
    expect(told).toMatchObject({ acr: 'two-factors', auth_time: first['auth_time'] })
    expect(told['amr']).toEqual(expect.arrayContaining(['pwd', 'otp', 'mfa']))
  })

  test('an access token tells its API (RFC 9470 §6.2), also after a refresh', async () => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'stays')
    const api = await relyingParty(gateway, 'api')
    const weak = (await signIn(browser, party, username)).tokens
    const toldOf = async (token: string) => oidc.tokenIntrospection(api.configuration, token)
    expect(await toldOf(weak.access_token)).toMatchObject({
      active: true,
      acr: 'any',
      auth_time: weak.claims()!['auth_time'],
    })
    const begun = await party.begin({ acr_values: 'two-factors', max_age: '86400' })
    const back = await giveCode(browser, await browser.open(begun.url.href), username)
    const strong = await party.finish(begun, back.url)
    const expected = { active: true, acr: 'two-factors', auth_time: strong.claims()!['auth_time'] }
    expect(await toldOf(strong.access_token)).toMatchObject(expected)
    clock.at += 5 * 60_000
    const refreshed = await oidc.refreshTokenGrant(party.configuration, strong.refresh_token!)
    expect(await toldOf(refreshed.access_token)).toMatchObject(expected)
    // what was issued before says what was true then
    expect(await toldOf(weak.access_token)).toMatchObject({ acr: 'any' })
  })
})

describe('the way back is the exact request', () => {
  test('to the redirect address that was asked for, with its state, as a form where the app wants one', async () => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, username)
    const other = await party.begin({ acr_values: 'two-factors', redirect_uri: OTHER_CALLBACK })
    const asForm = await party.begin({ acr_values: 'two-factors', max_age: '0', response_mode: 'form_post' })
    const back = await giveCode(browser, await browser.open(other.url.href), username)
    expect(back.url.href.startsWith(`${OTHER_CALLBACK}?`)).toBe(true)
    expect(back.url.searchParams.get('state')).toBe(other.state)
    let page = await browser.open(asForm.url.href)
    page = await browser.submit(formOf(page, stepOf(page)!), { code: totpCode(secrets.get(username)!, clock.now()) })
    clock.at += 30_000
    if (stepOf(page) === 'password') page = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
    expect(page.status).toBe(200)
    expect(page.text).toContain(`action="${CALLBACK}"`)
    expect(page.text).toContain(`value="${asForm.state}"`)
  })

  test('a page reached with the Back button leads on instead of asking twice', async () => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, username)
    const begun = await party.begin({ acr_values: 'two-factors' })
    const asked = await browser.open(begun.url.href)
    const back = await giveCode(browser, asked, username)
    await party.finish(begun, back.url)
    // the errand is over: the old form starts nothing and tells nothing
    const stale = await post(browser, formOf(asked, 'totp').action, { step: 'totp', code: '000000' })
    expect([303, 400]).toContain(stale.status)
    expect(stale.location).not.toContain('code=')
  })

  test('somebody else in between gets no code for what the first one wanted', async () => {
    const [username, other] = [await somebody(), await somebody()]
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, username)
    const begun = await party.begin({ acr_values: 'two-factors' })
    const asked = await browser.open(begun.url.href)
    // in another tab the next shift takes over
    const notYou = /href="(\/signin\/[^"]*somebody-else)"/.exec(asked.text)![1]!.replaceAll('&amp;', '&')
    const fresh = await browser.open(`${gateway.issuer}${notYou}`)
    const page = await typePassword(browser, fresh, other)
    expect(stepOf(page)).toBe('totp')
    // the first one's code does not raise the other's session
    const wrong = await browser.submit(formOf(page, 'totp'), { code: totpCode(secrets.get(username)!, clock.now()) })
    expect(wrong.status).toBe(400)
    const back = await giveCode(browser, wrong, other)
    const claims = (await party.finish(begun, back.url)).claims()!
    expect(claims.sub).toBe((await gateway.server.house.people.find(other))!.id)
  })
})

describe('what cannot be met', () => {
  /** Turns back on the page that is the end. */
  async function turnBack(browser: Browser, page: Page): Promise<Page> {
    const href = /href="(\/signin\/[^"]*back)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&')
    return browser.open(`${gateway.issuer}${href}`)
  }

  test.each([
    ['acr_values', { acr_values: 'urn:made:up' }],
    ['an essential claim', { claims: claimed({ essential: true, value: 'urn:made:up' }) }],
    [
      'an essential claim beside acr_values that exist',
      { acr_values: 'any', claims: claimed({ essential: true, value: 'urn:made:up' }) },
    ],
  ])('%s that do not exist: the app hears at once, signed in or not, in silence or not', async (_, parameters) => {
    const party = await relyingParty(gateway, 'web')
    const browser = browserOf()
    for (const prompt of [{}, { prompt: 'none' }]) {
      const page = await browser.open((await party.begin({ ...parameters, ...prompt })).url.href)
      expect(page.url.searchParams.get('error')).toBe('unmet_authentication_requirements')
    }
    await signIn(browser, party, await somebody())
    const page = await browser.open((await party.begin(parameters)).url.href)
    expect(page.url.searchParams.get('error')).toBe('unmet_authentication_requirements')
  })

  test.each([
    ['a passkey that the person does not have', { acr_values: 'phishing-resistant' }, true],
    ['a strength of our own that they cannot reach', { acr_values: 'card' }, true],
    ['a second factor, with none', { claims: claimed({ essential: true, value: 'two-factors' }) }, false],
  ])('%s: an end with what to do, and the app hears why it got nothing', async (_, parameters, withTotp) => {
    const username = await somebody(withTotp)
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, username)
    const begun = await party.begin(parameters)
    const end = await browser.open(begun.url.href)
    expect(end.status).toBe(403)
    expect(stepOf(end)).toBeUndefined()
    expect(end.text).toMatch(/[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/)
    // looking again changes nothing: no loop, no other page
    expect((await browser.open(end.url.href)).status).toBe(403)
    const back = await turnBack(browser, end)
    expect(back.url.searchParams.get('error')).toBe('unmet_authentication_requirements')
    expect(back.url.searchParams.get('state')).toBe(begun.state)
    // and what needs no more still opens
    expect(atCallback(await browser.open((await party.begin()).url.href))).toBe(true)
  })

  test('what the policy itself asks is no requirement of the app', async () => {
    const browser = browserOf()
    await signIn(browser, await relyingParty(gateway, 'web'), await somebody(false))
    const party = await relyingParty(gateway, 'strict')
    for (const more of [{}, { acr_values: 'any' }, { acr_values: 'two-factors' }]) {
      const end = await browser.open((await party.begin(more)).url.href)
      expect(end.status).toBe(403)
      expect((await turnBack(browser, end)).url.searchParams.get('error')).toBe('access_denied')
    }
  })

  test('whoever a rule refuses is refused, whatever the request asked for', async () => {
    const browser = browserOf()
    await signIn(browser, await relyingParty(gateway, 'web'), await somebody())
    const end = await browser.open(
      (await (await relyingParty(gateway, 'closed')).begin({ acr_values: 'two-factors' })).url.href,
    )
    expect(end.status).toBe(403)
    expect((await turnBack(browser, end)).url.searchParams.get('error')).toBe('access_denied')
  })

  test('whoever could give it and turns away has declined', async () => {
    const browser = browserOf()
    const party = await relyingParty(gateway, 'web')
    await signIn(browser, party, await somebody())
    const asked = await browser.open((await party.begin({ acr_values: 'two-factors' })).url.href)
    const away = new URL(asked.url)
    away.searchParams.set('back', '')
    expect((await browser.open(away.href)).url.searchParams.get('error')).toBe('access_denied')
  })

  test('whoever does not agree to what an app may know has declined', async () => {
    const username = await somebody()
    const browser = browserOf()
    const party = await relyingParty(gateway, 'theirs')
    const begun = await party.begin({ acr_values: 'two-factors' })
    const page = await giveCode(
      browser,
      await typePassword(browser, await browser.open(begun.url.href), username),
      username,
    )
    const back = await browser.submit(formOf(page, 'consent'), { answer: 'deny' })
    expect(back.url.searchParams.get('error')).toBe('access_denied')
  })
})
