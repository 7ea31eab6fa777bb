/** Authorization details that are wrong, too much or somebody else's, at each place where they come in: a clear refusal, never a token. */
import { SignJWT } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyApis, post } from '../api-access/house.ts'
import type { Gateway } from '../support/gateway.ts'
import {
  addPerson,
  allow,
  asked,
  begin,
  LEDGER,
  ledger,
  PAY,
  PAYMENTS,
  payments,
  redeem,
  SEE,
  startPayments,
} from '../support/payments.ts'
import { atCallback, relyingParty } from '../support/relying-party.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startPayments()
})
afterAll(() => gateway?.close())

const deep = (depth: number): string => (depth === 0 ? '1' : `[${deep(depth - 1)}]`)
/** What is sent. */
const CORPUS: readonly (readonly [string, string])[] = [
  ['no JSON', '[{'],
  ['a text', '"payment"'],
  ['null', 'null'],
  ['an object', JSON.stringify(PAY)],
  ['members that are no objects', '[1, "payment", null, []]'],
  ['no type', asked({ amount: '1.00' })],
  ['a type that is no text', asked({ ...PAY, type: ['payment'] })],
  ['an unknown type', asked({ ...PAY, type: 'paymnt' })],
  ['a type that objects have of themselves', asked({ ...PAY, type: 'constructor' })],
  ['`__proto__` as type', asked({ ...PAY, type: '__proto__' })],
  ['a type of which one is wrong', asked(SEE, { ...PAY, type: 'x' })],
  ['a field too few', asked({ type: 'payment', amount: '1.00' })],
  ['a field too many', asked({ ...PAY, extra: 1 })],
  ['a field too many inside', asked({ ...PAY, creditor: { name: 'A', extra: 1 } })],
  ['`__proto__` as field', `[{"__proto__":{"a":1},${JSON.stringify(PAY).slice(1)}]`],
  ['a field of another kind', asked({ ...PAY, amount: 25 })],
  ['a value that is not one of those', asked({ ...PAY, currency: 'eur' })],
  ['a text longer than it may be', asked({ ...PAY, note: 'x'.repeat(141) })],
  ['the address of another API', asked({ ...PAY, locations: [LEDGER] })],
  ['two addresses', asked({ ...PAY, locations: [PAYMENTS, LEDGER] })],
  ['no address', asked({ ...PAY, locations: [] })],
  ['more than anybody needs', asked(...Array(21).fill(SEE))],
  ['much text', asked(...Array(12).fill({ ...PAY, note: 'x'.repeat(140) }))],
  ['nested deeply', `[{"type":"payment","note":${deep(2000)}}]`],
  ['a line that turns round', asked({ ...PAY, creditor: { name: '\u202eeloC nnA' } })],
  ['a broken line', asked({ ...PAY, note: 'a\nb' })],
  ['half a letter', '[{"type":"payment","amount":"1.00","currency":"EUR","creditor":{"name":"\\ud800"}}]'],
  ['a number beyond all', '[{"type":"payment","amount":1e999}]'],
]
const ERROR = 'invalid_authorization_details'

async function token(id: string, fields: Record<string, string> | URLSearchParams) {
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) } as Record<string, unknown>
}
const ofMachine = (details: string, id = 'payer') =>
  token(id, { grant_type: 'client_credentials', resource: PAYMENTS, authorization_details: details })

describe.each(CORPUS)('%s', (_, details) => {
  test('is refused to a program', async () => {
    expect(await ofMachine(details)).toMatchObject({ status: 400, error: ERROR })
  })

  test('is refused to an app, at its own address and before anybody is asked', async () => {
    const party = await relyingParty(gateway, 'bank')
    const { url } = await party.begin({ resource: PAYMENTS, scope: 'openid', authorization_details: details })
    const answer = await fetch(url, { redirect: 'manual' })
    const back = new URL(answer.headers.get('location')!)
    expect([answer.status, back.host, back.searchParams.get('error')]).toEqual([303, 'localhost:9', ERROR])
  })

  test('is refused in a pushed request', async () => {
    const party = await relyingParty(gateway, 'bank')
    const { url } = await party.begin({ resource: PAYMENTS, scope: 'openid', authorization_details: details })
    const answer = await post(gateway, 'request', 'bank', Object.fromEntries(url.searchParams))
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ error: ERROR })])
  })
})

test.each([
  ['a type that this client is not registered with', 'seer', PAY],
  ['a type of an API of which it has scopes only', 'plain', SEE],
])('%s is refused', async (_, id, detail) => {
  expect(await ofMachine(asked(detail), id)).toMatchObject({ status: 400, error: ERROR })
})

test('details for one API in a token for another are refused, whichever is named', async () => {
  const fields = { grant_type: 'client_credentials', authorization_details: asked(PAY) }
  expect(await token('payer', { ...fields, resource: LEDGER })).toMatchObject({ status: 400, error: ERROR })
  const both = asked(PAY, { type: 'entry' })
  const one = { ...fields, authorization_details: both, resource: PAYMENTS }
  expect(await token('payer', one)).toMatchObject({ status: 400, error: ERROR })
  const { resource: _, ...neither } = one
  expect(await token('payer', neither)).toMatchObject({ status: 400, error: 'invalid_target' })
})

test('the parameter twice is refused', async () => {
  const fields = new URLSearchParams({ grant_type: 'client_credentials', resource: PAYMENTS })
  fields.append('authorization_details', asked(PAY))
  fields.append('authorization_details', asked(SEE))
  expect(await token('payer', fields)).toMatchObject({ status: 400, error: 'invalid_request' })
})

test('an empty list asks for nothing and gives nothing', async () => {
  const answer = await ofMachine('[]')
  expect(answer['status']).toBe(200)
  expect(answer).not.toHaveProperty('authorization_details')
})

test('a signed request is looked at as any other: wrong details are refused, whatever stands beside it', async () => {
  const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }
  const { kty, crv, x, y } = jwk
  const text = JSON.stringify({
    ...{ id: 'signer', name: 'Signer', policy: 'open', audience: ['staff'] },
    oidc: {
      redirect_uris: ['http://localhost:9/callback'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ kty, crv, x, y, kid: 'k' }] },
      apis: { payments: ['payments:list', 'payment'] },
    },
  })
  const { problems } = await gateway.server.house.catalog.apps.apply([{ file: 'a.yaml', text }], { by: 'test' })
  expect(problems).toEqual([])
  const request = (details: unknown) =>
    new SignJWT({
      ...{ client_id: 'signer', response_type: 'code', redirect_uri: 'http://localhost:9/callback', scope: 'openid' },
      ...{ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' },
      ...{ resource: PAYMENTS, authorization_details: details },
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('signer')
      .setAudience(gateway.issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey)
  const ask = async (details: unknown) => {
    const url = new URL(`${gateway.issuer}/oauth2/auth`)
    const beside = { client_id: 'signer', response_type: 'code', scope: 'openid', authorization_details: asked(PAY) }
    for (const [name, value] of Object.entries({ ...beside, request: await request(details) }))
      url.searchParams.set(name, value)
    const answer = await fetch(url, { redirect: 'manual' })
    return new URL(answer.headers.get('location')!, gateway.issuer)
  }
  expect((await ask([PAY])).pathname).toMatch(/^\/signin\//)
  for (const wrong of [PAY, [{ ...PAY, extra: 1 }], [SEE], 'x', 1, null, [[PAY]]])
    expect((await ask(wrong)).searchParams.get('error'), JSON.stringify(wrong)).toBe(ERROR)
})

describe('more than was granted', () => {
  const MORE = [
    ['another payment', asked({ ...PAY, amount: '26.00' })],
    ['the same one twice', asked(PAY, PAY)],
    ['one that was not asked for', asked(PAY, SEE)],
    ['another type', asked(SEE)],
  ] as const
  const granted = async () => begin(gateway, 'bank', await addPerson(gateway), { authorization_details: asked(PAY) })

  test.each(MORE)('is not had by redeeming a code: %s', async (_, details) => {
    const { page, party, begun } = await granted()
    expect(atCallback(page)).toBe(true)
    await expect(redeem(party, begun, page, { authorization_details: details })).rejects.toMatchObject({ error: ERROR })
  })

  test.each(MORE)('is not had by a refresh: %s', async (_, details) => {
    const { page, party, begun } = await granted()
    const { refresh_token: refresh } = await redeem(party, begun, page)
    const fields = { resource: PAYMENTS, authorization_details: details }
    await expect(oidc.refreshTokenGrant(party.configuration, refresh!, fields)).rejects.toMatchObject({ error: ERROR })
  })

  test('is not had where nothing was granted', async () => {
    const { page, party, begun } = await begin(gateway, 'bank', await addPerson(gateway), {})
    await expect(redeem(party, begun, page, { authorization_details: asked(PAY) })).rejects.toMatchObject({
      error: ERROR,
    })
  })
})

test('nobody gets details of an app that is not ours unasked', async () => {
  const { browser, party, page } = await begin(gateway, 'shop', await addPerson(gateway), {
    authorization_details: asked(PAY),
  })
  // also who has agreed once, to the same
  expect(atCallback(await allow(browser, page))).toBe(true)
  const { url } = await party.begin({
    resource: PAYMENTS,
    scope: 'openid',
    prompt: 'none',
    authorization_details: asked(PAY),
  })
  const silent = await browser.open(url.href)
  expect(silent.url.searchParams.get('error')).toBe('consent_required')
})

test('a refresh gives no more what the API no longer has', async () => {
  const { page, party, begun } = await begin(gateway, 'bank', await addPerson(gateway), {
    authorization_details: asked(PAY, SEE),
  })
  const tokens = await redeem(party, begun, page)
  const { account: _, ...left } = payments.authorization_details
  const { gateway: __, ...bare } = payments
  await applyApis(gateway, { ...bare, authorization_details: left }, ledger)
  const again = await oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: PAYMENTS })
  expect(again['authorization_details']).toEqual([PAY])
  await applyApis(gateway, payments, ledger)
})
