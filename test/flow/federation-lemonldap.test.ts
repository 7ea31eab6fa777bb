/** Signing in at an OpenID Connect provider that is not ours, LemonLDAP::NG, through the whole gateway; and out of it. */
import { buildEndSessionUrl } from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formOf, formsOf, headingOf, type Page } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { anApp, browserOf, goThere, PARTNER } from '../support/federation.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Lemonldap, startLemonldap } from '../support/lemonldap.ts'
import { ACR, type LemonldapPerson } from '../support/lemonldap-files.ts'
import { signInAtLemonldap } from '../support/lemonldap-pages.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { atCallback, type Browser, CALLBACK, relyingParty } from '../support/relying-party.ts'

const RENATE: LemonldapPerson = {
  uid: 'renate',
  password: 'a kite over the dunes',
  name: 'Renate Köhler',
  mail: 'renate@partner.example',
  employeeNumber: '4711',
  groups: ['repairs', 'stores'],
}
const MIRA: LemonldapPerson = {
  uid: 'mira',
  password: 'two ferries at dawn',
  name: 'Mira Okafor',
  mail: 'mira@elsewhere.example',
  groups: ['repairs'],
  totp: 'JBSWY3DPEHPK3PXP',
}
const SECRET = 'of the gateway'
const SIGNED_OUT = `${CALLBACK}/signed-out`
const clock = movableClock()
let gateway: Gateway
let provider: Lemonldap

beforeAll(async () => {
  const [port, theirPort] = await Promise.all([freePort(), freePort()])
  const issuer = `http://localhost:${port}`
  provider = await startLemonldap({
    people: [RENATE, MIRA],
    port: theirPort,
    relyingParties: [
      {
        id: 'portico',
        secret: SECRET,
        redirectUris: [`${issuer}/signin/back/${PARTNER}`],
        postLogoutRedirectUris: [`${issuer}/signout`],
      },
    ],
  })
  const app = (id: string, policy: string) => {
    const one = anApp(id, policy)
    return { ...one, oidc: { ...one.oidc, post_logout_redirect_uris: [SIGNED_OUT] } }
  }
  gateway = await startGateway({
    clock,
    port,
    policies: POLICIES,
    apps: [app('web', 'plain'), app('strict', 'strict')] as never,
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        {
          id: PARTNER,
          kind: 'oidc',
          title: 'Partner',
          issuer: provider.issuer,
          client_id: 'portico',
          client_secret: SECRET,
          // it takes what comes with HTTP Basic as it stands, without the decoding of RFC 6749 §2.3.1
          client_authentication: 'client_secret_post',
          domains: ['partner.example'],
          newcomers: 'create',
          groups: { map: { repairs: ['staff'] } },
          assurance: [{ acr: [ACR.twoFactors], is: 'two-factors' }],
          claims: { other: { employee_number: 'employee_number' } },
        },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await provider?.end()
})

const isThere = ({ url }: Page) => url.origin === new URL(provider.issuer).origin

/** Opens the app and goes to the provider; gives the page there, or what comes of a session there. */
async function onTheWay(browser: Browser, id = 'web', parameters: Record<string, string> = {}) {
  const party = await relyingParty(gateway, id)
  const begun = await party.begin(parameters)
  let page = await browser.open(begun.url.href)
  if (!atCallback(page) && !isThere(page)) page = await goThere(browser, page)
  return { page, party, finish: async (back: Page) => party.finish(begun, back.url) }
}

async function signedIn(person: LemonldapPerson, browser = browserOf(), id = 'web') {
  const { page, party, finish } = await onTheWay(browser, id)
  const back = await signInAtLemonldap(browser, page, person)
  if (!atCallback(back)) throw new Error(`stopped at ${back.url.pathname}: ${headingOf(back)}`)
  const tokens = await finish(back)
  return { browser, party, hint: tokens.id_token!, claims: tokens.claims()! }
}

test('somebody comes in, and is the same person each time, with what the provider says about them', async () => {
  const { claims } = await signedIn(RENATE)
  expect((await signedIn(RENATE)).claims.sub).toBe(claims.sub)
  expect(claims).toMatchObject({ amr: ['pwd'], acr: 'any' })
  expect(Math.abs(claims.auth_time! * 1000 - clock.now())).toBeLessThan(60_000)
  expect(await gateway.server.house.people.byId(claims.sub)).toMatchObject({
    directory: PARTNER,
    username: 'renate@partner',
    name: 'Renate Köhler',
    mail: 'renate@partner.example',
    // it does not say so, and so it is not
    mailVerified: false,
    groups: ['staff'],
  })
})

test('of a mail address that is not the provider’s to give nothing comes in', async () => {
  const { claims } = await signedIn(MIRA)
  const mira = await gateway.server.house.people.byId(claims.sub)
  expect(mira).toMatchObject({ username: 'mira@partner', name: 'Mira Okafor' })
  expect(mira!.mail).toBeUndefined()
})

test('who gave a second factor there is not asked for one here, and who gave none is', async () => {
  expect((await signedIn(MIRA, browserOf(), 'strict')).claims).toMatchObject({ acr: 'two-factors' })
  const browser = browserOf()
  const asked = await signInAtLemonldap(browser, (await onTheWay(browser, 'strict')).page, RENATE)
  expect([atCallback(asked), asked.url.origin, asked.status]).toEqual([false, gateway.issuer, 200])
})

test('who is known there already is not asked at all, unless an app wants it anew', async () => {
  const { browser } = await signedIn(RENATE)
  const forgetUs = () => {
    for (const name of browser.jar.keys()) if (!name.startsWith('lemonldap')) browser.jar.delete(name)
  }
  forgetUs()
  expect(atCallback((await onTheWay(browser)).page)).toBe(true)
  const asked = async () => {
    forgetUs()
    const { page } = await onTheWay(browser, 'web', { prompt: 'login' })
    return formsOf(page).some(({ action }) => action.pathname === '/renewsession')
  }
  // within the second of a sign-in it is taken for a new one there
  await expect.poll(asked, { timeout: 10_000 }).toBe(true)
})

test('a wrong password there lets nobody in here', async () => {
  const browser = browserOf()
  const { page } = await onTheWay(browser)
  const still = await signInAtLemonldap(browser, page, { ...RENATE, password: 'wrong' })
  expect([isThere(still), atCallback(still)]).toEqual([true, false])
})

test('who signs out here is signed out there', async () => {
  const { browser } = await signedIn(RENATE)
  const done = await browser.submit({
    action: new URL(`${gateway.issuer}/signout`),
    fields: new URLSearchParams({ answer: 'allow' }),
  })
  expect([done.url.origin, headingOf(done)]).toEqual([gateway.issuer, 'You are signed out'])
  const { page } = await onTheWay(browser)
  expect([isThere(page), formsOf(page).some(({ fields }) => fields.has('password'))]).toEqual([true, true])
})

test('whom an app signs out is signed out here and there, and comes back to the app', async () => {
  const { browser, party, hint, claims } = await signedIn(RENATE)
  const parameters = { id_token_hint: hint, post_logout_redirect_uri: SIGNED_OUT, state: 'of the app' }
  const before = await gateway.server.house.sessions.ofPerson(claims.sub)
  const done = await browser.open(buildEndSessionUrl(party.configuration, parameters).href)
  expect(done.url.href).toBe(`${SIGNED_OUT}?state=of+the+app`)
  expect(await gateway.server.house.sessions.ofPerson(claims.sub)).toHaveLength(before.length - 1)
  const { page } = await onTheWay(browser)
  expect([isThere(page), formsOf(page).some(({ fields }) => fields.has('password'))]).toEqual([true, true])
})

test('an answer of it is for the browser that asked, and for once', async () => {
  const browser = browserOf()
  const { page } = await onTheWay(browser)
  const { state } = Object.fromEntries(new URL(page.url).searchParams)
  expect(state).toBeDefined()
  const back = `${gateway.issuer}/signin/back/${PARTNER}?code=x&state=${state}`
  expect((await browserOf().open(back)).status).toBe(400)
  const refused = await browser.open(back)
  expect(refused.status).toBe(502)
  expect(formOf(refused, 'identifier')).toBeDefined()
  expect((await browser.open(back)).status).toBe(400)
})
