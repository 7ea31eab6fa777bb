/** A gateway with an API that takes authorization details (RFC 9396), and with clients that ask for them. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import { applyApis } from '../api-access/house.ts'
import { type Gateway, type GatewayOptions, PASSWORD, startGateway } from './gateway.ts'
import { POLICIES } from './policies.ts'
import { atCallback, CALLBACK, type RelyingParty, relyingParty, typePassword } from './relying-party.ts'

export const PAYMENTS = 'https://api.kestrel.example/payments'
export const LEDGER = 'https://api.kestrel.example/ledger'
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const WORDS = {
  en: 'Pay {amount} {currency} to {creditor.name}',
  nl: '{amount} {currency} betalen aan {creditor.name}',
}
const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`

export const payments = {
  ...{ api: 'payments', name: 'Payments', audience: PAYMENTS, policy: 'payments' },
  scopes: { 'payments:list': 'See payments' },
  authorization_details: {
    payment: {
      words: WORDS,
      schema: {
        type: 'object',
        required: ['amount', 'currency', 'creditor'],
        properties: {
          amount: { type: 'string', pattern: '^[0-9]{1,9}\\.[0-9]{2}$', maxLength: 12 },
          currency: { type: 'string', enum: ['EUR', 'USD'] },
          creditor: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string', maxLength: 60 }, iban: { type: 'string', maxLength: 34 } },
          },
          note: { type: 'string', maxLength: 140 },
        },
      },
    },
    account: {
      words: 'See accounts',
      schema: {
        type: 'object',
        required: ['actions'],
        properties: { actions: { type: 'array', items: { type: 'string', enum: ['balance', 'moves'] } } },
      },
    },
  },
  exchange: [{ from: 'payments', by: ['payments-service'], scopes: { 'payments:list': ['payments:list'] } }],
  gateway: {
    hosts: ['api.kestrel.example'],
    rules: [
      { methods: ['POST'], paths: ['/payments'], authorization_details: ['payment'] },
      { methods: ['GET'], paths: ['/payments'], scopes: ['payments:list'], authorization_details: ['account'] },
      { methods: ['GET'], paths: ['/payments/*'], scopes: ['payments:list'] },
    ],
  },
}
export const ledger = {
  ...{ api: 'ledger', name: 'Ledger', audience: LEDGER, policy: 'open' },
  scopes: { 'ledger:read': 'Read' },
  token: { format: 'opaque' },
  authorization_details: {
    entry: {
      words: 'Write {text}',
      schema: { type: 'object', properties: { text: { type: 'string', maxLength: 50 } } },
    },
  },
  gateway: {
    hosts: ['ledger.kestrel.example'],
    rules: [{ paths: ['/*'], authorization_details: ['entry'] }],
  },
}

export const PAY = {
  type: 'payment',
  amount: '25.00',
  currency: 'EUR',
  creditor: { name: 'Ann Cole', iban: 'NL02ABNA0123456789' },
}
export const SEE = { type: 'account', actions: ['balance', 'moves'] }
export const asked = (...details: unknown[]) => JSON.stringify(details)

const ALL = ['payments:list', 'payment', 'account']
const app = (id: string, words: string[], more: object = {}) => ({
  ...{ id, name: `App ${id}`, policy: 'open', audience: ['staff'] },
  oidc: {
    redirect_uris: [CALLBACK],
    scopes: ['openid', 'profile', 'offline_access'],
    grant_types: ['authorization_code', 'refresh_token'],
    apis: { payments: words, ledger: ['ledger:read', 'entry'] },
  },
  ...more,
})
const program = (id: string, words: string[], more: object = {}) => ({
  ...{ id, template: 'machine', policy: 'open' },
  oidc: { apis: { payments: words, ledger: ['ledger:read', 'entry'] }, ...more },
})

export async function startPayments(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway({
    policies: {
      ...POLICIES,
      'open.yaml': policy('open', '{ name: r, allow: {} }'),
      'payments.yaml': policy(
        'payments',
        '{ name: no payments, when: { request.authorization_details: [payment], client.id: [looker] }, deny: { say: No. } }',
        '{ name: not them, when: { request.authorization_details: [payment], user.groups: [barred] }, deny: { say: No. } }',
        '{ name: lists only, when: { client.id: [lister] }, allow: { scopes: [payments:list, account] } }',
        '{ name: r, allow: {} }',
      ),
    },
    apps: [
      app('bank', ALL),
      app('shop', ALL, { first_party: false }),
      program('payer', ALL),
      program('looker', ALL),
      program('lister', ALL),
      program('seer', ['payments:list', 'account']),
      program('plain', ['payments:list']),
      program('payments-service', ALL, { grant_types: ['client_credentials', EXCHANGE] }),
      { id: 'api', template: 'machine', policy: 'open', tags: ['resource-server'] },
    ] as never,
    ...options,
    settings: { proxies: ['127.0.0.1'], ...options.settings },
  })
  await applyApis(gateway, payments, ledger)
  return gateway
}

export async function readToken(gateway: Gateway, jwt: unknown, audience = PAYMENTS) {
  const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  const { payload } = await jwtVerify(String(jwt), createLocalJWKSet(jwks), {
    ...{ issuer: gateway.issuer, audience, typ: 'at+jwt' },
  })
  return payload as Record<string, unknown>
}

let count = 0
export async function addPerson(gateway: Gateway, ...groups: string[]): Promise<string> {
  const username = `payer${++count}`
  const person = { username, name: username, groups: ['staff', ...groups], password: PASSWORD }
  await gateway.server.house.people.add(person, 'test')
  return username
}

/** As far as the app's callback, or the page on which somebody is asked for consent. */
export async function begin(gateway: Gateway, id: string, username: string, parameters: Record<string, string>) {
  const party = await relyingParty(gateway, id)
  const browser = createBrowser({ stopAt: CALLBACK })
  const begun = await party.begin({ resource: PAYMENTS, scope: 'openid offline_access', ...parameters })
  let page = await browser.open(begun.url.href)
  if (!atCallback(page)) page = await typePassword(browser, page, username)
  return { party, browser, begun, page }
}

export const allow = (browser: ReturnType<typeof createBrowser>, page: Page): Promise<Page> =>
  browser.submit(formOf(page, 'consent'), { answer: 'allow' })

export const redeem = (
  party: RelyingParty,
  begun: Awaited<ReturnType<RelyingParty['begin']>>,
  page: Page,
  more: Record<string, string> = {},
) =>
  oidc.authorizationCodeGrant(
    party.configuration,
    page.url,
    { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
    { resource: PAYMENTS, ...more },
  )
