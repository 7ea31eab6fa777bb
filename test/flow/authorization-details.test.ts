/** Rich authorization requests (RFC 9396): a token that is good for one payment, and what everybody on its way sees of it. */
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formOf } from '../../demo/browser.ts'
import { applyApis, call, post } from '../api-access/house.ts'
import type { Gateway } from '../support/gateway.ts'
import {
  addPerson,
  allow,
  asked,
  begin,
  EXCHANGE,
  LEDGER,
  ledger,
  PAY,
  PAYMENTS,
  payments,
  readToken,
  redeem,
  SEE,
  startPayments,
} from '../support/payments.ts'
import { atCallback } from '../support/relying-party.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startPayments()
})
afterAll(() => gateway?.close())

async function tokenFor(id: string, fields: Record<string, string>) {
  const answer = await post(gateway, 'token', id, { grant_type: 'client_credentials', ...fields })
  return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) } as Record<string, unknown>
}
async function introspect(token: unknown) {
  return (await post(gateway, 'introspection', 'api', { token: String(token) })).json()
}
const detailsTold = (answer: { headers: Record<string, unknown> }) => {
  const text = String(answer.headers['x-portico-authorization-details'])
  return text === '' ? [] : JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
}

describe('a program', () => {
  test('gets a token that is good for what it asked, in words of the API, and without any scope', async () => {
    const answer = await tokenFor('payer', { authorization_details: asked(PAY) })
    expect(answer).toMatchObject({ status: 200, authorization_details: [PAY] })
    expect(answer).not.toHaveProperty('scope')
    const claims = await readToken(gateway, answer['access_token'])
    expect(claims).toMatchObject({ aud: PAYMENTS, authorization_details: [PAY] })
    expect(claims).not.toHaveProperty('scope')
  })

  test('gets scopes beside it where it asks for them', async () => {
    const answer = await tokenFor('payer', { authorization_details: asked(PAY), scope: 'payments:list' })
    expect(answer).toMatchObject({ scope: 'payments:list', authorization_details: [PAY] })
  })

  test('gets no details where it asks for none', async () => {
    const answer = await tokenFor('payer', { resource: PAYMENTS })
    expect(answer).toMatchObject({ scope: 'payments:list' })
    expect(answer).not.toHaveProperty('authorization_details')
  })

  test('is told by introspection what an opaque token is good for', async () => {
    const entry = { type: 'entry', locations: [LEDGER], text: 'one' }
    const { access_token: token } = await tokenFor('payer', { authorization_details: asked(entry) })
    expect(await introspect(token)).toMatchObject({ active: true, aud: LEDGER, authorization_details: [entry] })
  })

  test('is refused by the policy that looks at types, and not where it asks for another one', async () => {
    expect(await tokenFor('looker', { authorization_details: asked(PAY) })).toMatchObject({ error: 'access_denied' })
    expect(await tokenFor('looker', { authorization_details: asked(SEE) })).toMatchObject({ status: 200 })
  })

  test('gets at most the types that a rule names among its scopes', async () => {
    const both = await tokenFor('lister', { authorization_details: asked(PAY, SEE), scope: 'payments:list' })
    expect(both).toMatchObject({ scope: 'payments:list', authorization_details: [SEE] })
    expect(await readToken(gateway, both['access_token'])).toMatchObject({ authorization_details: [SEE] })
    expect(await tokenFor('lister', { authorization_details: asked(PAY) })).toMatchObject({
      status: 400,
      error: 'invalid_authorization_details',
    })
  })
})

describe('a person', () => {
  test('agrees to it in the words of the API, each time, and sees also what the sentence does not name', async () => {
    const username = await addPerson(gateway)
    const details = asked({ ...PAY, note: '<b>Rent</b>' })
    const { browser, page, party, begun } = await begin(gateway, 'shop', username, { authorization_details: details })
    expect(page.text).toContain(
      'Payments: Pay <bdi>25.00</bdi> <bdi>EUR</bdi> to <bdi>Ann Cole</bdi><br><small>creditor.iban: <bdi>NL02ABNA0123456789</bdi></small>',
    )
    expect(page.text).toContain('note: <bdi>&lt;b&gt;Rent&lt;/b&gt;</bdi>')
    const dutch = await browser.open(`${page.url.href}${page.url.search ? '&' : '?'}lang=nl`)
    expect(dutch.text).toContain('<bdi>25.00</bdi> <bdi>EUR</bdi> betalen aan <bdi>Ann Cole</bdi>')
    const back = await allow(browser, dutch)
    const tokens = await redeem(party, begun, back)
    expect(tokens['authorization_details']).toEqual(JSON.parse(details))
    expect(await readToken(gateway, tokens.access_token)).toMatchObject({ authorization_details: JSON.parse(details) })
    const again = await party.begin({ resource: PAYMENTS, scope: 'openid', authorization_details: details })
    const second = await browser.open(again.url.href)
    expect(second.text).toContain('<bdi>25.00</bdi>')
    // scopes were agreed to before, and are not asked for again
    const [list] = /<ul class="scopes">.*?<\/ul>/s.exec(second.text)!
    expect(list.match(/<li>/g)).toHaveLength(1)
  })

  test('who says no gives nothing away', async () => {
    const username = await addPerson(gateway)
    const { browser, page } = await begin(gateway, 'shop', username, { authorization_details: asked(PAY) })
    const back = await browser.submit(formOf(page, 'consent'), { answer: 'deny' })
    expect(back.url.searchParams.get('error')).toBe('access_denied')
  })

  test('is not asked for an app of ours, which gets it all the same, at each refresh', async () => {
    const username = await addPerson(gateway)
    const details = asked(PAY, SEE)
    const { page, party, begun } = await begin(gateway, 'bank', username, { authorization_details: details })
    expect(atCallback(page)).toBe(true)
    const tokens = await redeem(party, begun, page)
    expect(tokens['authorization_details']).toEqual([PAY, SEE])
    const same = await oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: PAYMENTS })
    expect(same['authorization_details']).toEqual([PAY, SEE])
    const less = { type: 'account', actions: ['balance'] }
    const narrow = { resource: PAYMENTS, authorization_details: asked(less) }
    const lesser = await oidc.refreshTokenGrant(party.configuration, same.refresh_token!, narrow)
    expect(lesser['authorization_details']).toEqual([less])
    // for this token only
    const whole = await oidc.refreshTokenGrant(party.configuration, lesser.refresh_token!, { resource: PAYMENTS })
    expect(whole['authorization_details']).toEqual([PAY, SEE])
  })

  test('is refused by the policy of the API that looks at types', async () => {
    const username = await addPerson(gateway, 'barred')
    const { page } = await begin(gateway, 'bank', username, { authorization_details: asked(PAY) })
    expect(page.url.searchParams.get('error')).toBe('access_denied')
    const { page: other } = await begin(gateway, 'bank', username, { authorization_details: asked(SEE) })
    expect(other.url.searchParams.has('code')).toBe(true)
  })

  test('may be asked by a pushed request, for two APIs; each token has what is for its own', async () => {
    const username = await addPerson(gateway)
    const entry = { type: 'entry', text: 'one' }
    const { begun, browser, party } = await begin(gateway, 'shop', username, {
      authorization_details: asked(PAY),
    })
    const parameters = new URLSearchParams(begun.url.search)
    parameters.delete('resource')
    parameters.set('authorization_details', asked(PAY, entry))
    const pushed = await post(gateway, 'request', 'shop', Object.fromEntries(parameters))
    const { request_uri: uri } = (await pushed.json()) as { request_uri: string }
    const page = await browser.open(
      `${gateway.issuer}/oauth2/auth?client_id=shop&request_uri=${encodeURIComponent(uri)}`,
    )
    expect(page.text).toContain('Ledger: Write <bdi>one</bdi>')
    const back = await allow(browser, page)
    const tokens = await redeem(party, begun, back)
    expect(tokens['authorization_details']).toEqual([PAY])
    const other = await oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: LEDGER })
    expect(other['authorization_details']).toEqual([entry])
    expect(await introspect(other.access_token)).toMatchObject({ authorization_details: [entry] })
  })
})

describe('an exchanged token', () => {
  const exchange = async (token: string, more: Record<string, string> = {}) => {
    const answer = await post(gateway, 'token', 'payments-service', {
      ...{ grant_type: EXCHANGE, subject_token: token, resource: PAYMENTS },
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      ...more,
    })
    return { status: answer.status, ...((await answer.json()) as object) } as Record<string, unknown>
  }
  const shown = async () => {
    const { page, party, begun } = await begin(gateway, 'bank', await addPerson(gateway), {
      ...{ scope: 'openid payments:list', authorization_details: asked(SEE) },
    })
    return (await redeem(party, begun, page)).access_token
  }

  test('of the same API keeps its details, or fewer', async () => {
    const token = await shown()
    expect(await exchange(token)).toMatchObject({ status: 200, authorization_details: [SEE] })
    const less = { type: 'account', actions: ['moves'] }
    const answer = await exchange(token, { authorization_details: asked(less) })
    expect(answer).toMatchObject({ status: 200, authorization_details: [less] })
    expect(await readToken(gateway, answer['access_token'])).toMatchObject({ authorization_details: [less] })
  })

  test('has no more than the one that was shown', async () => {
    const answer = await exchange(await shown(), { authorization_details: asked(PAY) })
    expect(answer).toMatchObject({ status: 400, error: 'invalid_authorization_details' })
  })
})

describe('a gateway that asks about each call', () => {
  test('lets through what the token is good for, and tells the API', async () => {
    const { access_token: pays } = await tokenFor('payer', { authorization_details: asked(PAY) })
    const answer = await call(gateway, '/payments', String(pays), { method: 'POST' })
    expect([answer.status, detailsTold(answer)]).toEqual([200, [PAY]])
    const { access_token: sees } = await tokenFor('payer', {
      authorization_details: asked(SEE),
      scope: 'payments:list',
    })
    expect(await call(gateway, '/payments', String(sees), { method: 'POST' })).toMatchObject({ status: 403 })
    expect(await call(gateway, '/payments', String(sees))).toMatchObject({ status: 200 })
    const { access_token: lists } = await tokenFor('payer', { resource: PAYMENTS })
    const refused = await call(gateway, '/payments', String(lists))
    expect([refused.status, refused.challenge]).toEqual([403, expect.stringContaining('error="insufficient_scope"')])
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'details-missing', ref: expect.any(String) })
    const open = await call(gateway, '/payments/1', String(lists))
    expect([open.status, detailsTold(open)]).toEqual([200, []])
  })

  test('asks the same of opaque tokens', async () => {
    const { access_token: token } = await tokenFor('payer', { authorization_details: asked({ type: 'entry' }) })
    const answer = await call(gateway, '/a', String(token), { host: 'ledger.kestrel.example' })
    expect([answer.status, detailsTold(answer)]).toEqual([200, [{ type: 'entry' }]])
  })

  test('takes away at the next call what a policy now cuts, or a registration no longer has', async () => {
    const { access_token: token } = await tokenFor('seer', {
      authorization_details: asked(SEE),
      scope: 'payments:list',
    })
    expect(await call(gateway, '/payments', String(token))).toMatchObject({ status: 200 })
    const text = JSON.stringify({
      ...{ id: 'seer', template: 'machine', policy: 'open' },
      oidc: { apis: { payments: ['payments:list'] } },
    })
    await gateway.server.house.catalog.apps.apply([{ file: 'seer.yaml', text }], { by: 'test' })
    expect(await call(gateway, '/payments', String(token))).toMatchObject({ status: 403 })
  })
})

test('metadata names the types, of all APIs and of one', async () => {
  const read = async (path: string) => (await fetch(`${gateway.issuer}/.well-known/${path}`)).json()
  const types = ['payment', 'account', 'entry']
  for (const path of ['openid-configuration', 'oauth-authorization-server']) {
    const { authorization_details_types_supported: supported } = (await read(path)) as Record<string, string[]>
    expect(supported!.toSorted()).toEqual(types.toSorted())
  }
  expect(await read('oauth-protected-resource/payments')).toMatchObject({
    authorization_details_types_supported: ['payment', 'account'],
  })
})

test('a type is known from the moment in which its API is applied, and unknown when it is gone', async () => {
  const asking = () => tokenFor('payer', { authorization_details: asked({ type: 'entry', text: 'one' }) })
  expect(await asking()).toMatchObject({ status: 200 })
  const { authorization_details: _, gateway: __, ...bare } = ledger
  await applyApis(gateway, payments, bare)
  expect(await asking()).toMatchObject({ status: 400, error: 'invalid_authorization_details' })
  await applyApis(gateway, payments, ledger)
  expect(await asking()).toMatchObject({ status: 200 })
})
