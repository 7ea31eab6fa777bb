/** An app asks, another screen confirms (OpenID Connect Client-Initiated Backchannel Authentication Core 1.0, poll mode). */
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formOf } from '../../demo/browser.ts'
import { giveTotp, movableClock } from '../abuse/people.ts'
import { answer, ask, CIBA, party, poll, question, screenOf, waiting } from '../support/ciba.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const ORDERS = 'https://api.kestrel.example/orders'
const clock = movableClock()
const desk = (id: string, more: object = {}, oidcMore: object = {}) => ({
  ...{ id, name: `App ${id}`, policy: 'plain', audience: ['*'] },
  ...more,
  oidc: { redirect_uris: [], scopes: ['openid', 'profile'], grant_types: [CIBA], ...oidcMore },
})

let gateway: Gateway
let username: string
let id: string
let people = 0
beforeAll(async () => {
  gateway = await startGateway({
    clock,
    policies: {
      ...POLICIES,
      'orders.yaml': `policy: orders
rules:
  - { name: not them, when: { user.groups: [barred] }, deny: { say: No. } }
  - { name: short, allow: { scopes: [orders:read, payment], token: { max: 1m } } }
`,
    },
    apps: [
      desk('care', {}, { redirect_uris: [CALLBACK], grant_types: ['authorization_code', CIBA] }),
      desk('strict', { policy: 'strict' }),
      desk('closed', { policy: 'closed' }),
      desk('elsewhere', { audience: ['nobody'] }),
      desk('shop', {}, { apis: { orders: ['orders:read', 'orders:write', 'payment'] } }),
      desk('theirs', { first_party: false }, { apis: { orders: ['orders:read'] } }),
      desk('stays', {}, { scopes: ['openid', 'offline_access'], grant_types: [CIBA, 'refresh_token'] }),
      desk('told', {}, { claims: { groups: 'all', in_id_token: true } }),
    ] as never,
  })
  const { problems } = await gateway.server.house.apis.apply(
    [
      {
        file: 'orders.yaml',
        text: JSON.stringify({
          ...{ api: 'orders', name: 'Orders', audience: ORDERS, policy: 'orders' },
          scopes: { 'orders:read': { en: 'Read your orders' }, 'orders:write': 'Change your orders' },
          authorization_details: {
            payment: {
              words: 'Pay {amount}',
              schema: { type: 'object', properties: { amount: { type: 'string' } }, required: ['amount'] },
            },
          },
        }),
      },
    ],
    { by: 'test' },
  )
  expect(problems).toEqual([])
})
afterAll(() => gateway.close())
const join = async (groups: string[] = ['staff'], more: object = {}) => {
  username = `person${++people}`
  const person = { username, name: `Person ${people}`, groups, password: PASSWORD, ...more }
  id = (await gateway.server.house.people.add(person, 'test')).id
}
beforeEach(async () => {
  await join()
  // what was counted of the test before is over
  clock.at = Math.max(clock.at, Date.now())
})
const events = (event: string, subject?: string) =>
  gateway.server.house.audit.search({ event: event as never, ...(subject ? { subject } : {}) })

describe('an app that asks', () => {
  test('waits with openid-client until the person has approved on their own screen, and gets their tokens', async () => {
    const app = await party(gateway, 'care')
    const asked = await app.ask({
      scope: 'openid profile',
      login_hint: username,
      binding_message: 'Desk 12, code 4711',
    })
    expect(asked).toMatchObject({ expires_in: 300, interval: 5 })
    const screen = await screenOf(gateway, username)
    const page = await question(gateway, screen)
    for (const text of ['App care asks you to confirm', 'Desk 12, code 4711', 'see your name', 'does not say who'])
      expect(page.text).toContain(text)
    expect(page.text).not.toContain(asked.auth_req_id)
    const done = await answer(screen, page, 'allow')
    expect(done.text).toContain('You have approved it.')
    expect(await waiting(gateway, screen)).toEqual([])
    const tokens = await oidc.pollBackchannelAuthenticationGrant(app.configuration, asked)
    expect(tokens.claims()).toMatchObject({ sub: id, aud: 'care', acr: 'any', amr: ['pwd'] })
    expect(await oidc.fetchUserInfo(app.configuration, tokens.access_token, id)).toMatchObject({
      name: `Person ${people}`,
    })
    const [approved] = await events('confirmation-approved', id)
    const receipt = await gateway.server.house.receipts.find(approved!.receipt!)
    expect(receipt).toMatchObject({ outcome: 'allow', app: 'care', person: id })
    expect((await events('confirmation-asked'))[0]).toMatchObject({ actor: 'care', reason: approved!.reason })
  }, 30_000)

  test('is told to wait, and to wait longer where it does not; by each of them for itself', async () => {
    const { body } = await ask(gateway, 'care', { login_hint: username })
    const said = async () => (await poll(gateway, 'care', body['auth_req_id'])).body['error']
    expect(await said()).toBe('authorization_pending')
    expect(await said()).toBe('slow_down')
    clock.at += 5000
    // the interval is ten seconds by now
    expect(await said()).toBe('slow_down')
    clock.at += 15_000
    expect(await said()).toBe('authorization_pending')
    const other = await ask(gateway, 'care', { login_hint: username })
    expect((await poll(gateway, 'care', other.body['auth_req_id'])).body['error']).toBe('authorization_pending')
    // an answer is never held back
    const screen = await screenOf(gateway, username)
    for (const _ of [1, 2]) await answer(screen, await question(gateway, screen), 'deny')
    expect(await said()).toBe('access_denied')
  })

  test('hears that nobody has answered in time, and nobody can answer any more', async () => {
    const { body } = await ask(gateway, 'care', { login_hint: username, requested_expiry: '30' })
    expect(body['expires_in']).toBe(30)
    const screen = await screenOf(gateway, username)
    const page = await question(gateway, screen)
    clock.at += 31_000
    expect((await poll(gateway, 'care', body['auth_req_id'])).body['error']).toBe('expired_token')
    const late = await answer(screen, page, 'allow')
    expect(late.status).toBe(410)
    expect(await waiting(gateway, screen)).toEqual([])
    expect((await poll(gateway, 'care', body['auth_req_id'])).body['error']).toBe('expired_token')
    expect(await events('confirmation-approved', id)).toEqual([])
  })

  test.each([
    ['1', 10],
    ['900', 900],
    ['86400', 900],
  ])('for %s seconds, waits %d', async (requested_expiry, expires_in) => {
    const { body } = await ask(gateway, 'care', { login_hint: username, requested_expiry })
    expect(body['expires_in']).toBe(expires_in)
  })

  test('hears that it was refused, with a reference that the log knows; what was unknown to the person bars it for a day', async () => {
    const screen = await screenOf(gateway, username)
    const first = await ask(gateway, 'care', { login_hint: username })
    await answer(screen, await question(gateway, screen), 'deny')
    const refused = (await poll(gateway, 'care', first.body['auth_req_id'])).body
    expect(refused['error']).toBe('access_denied')
    const [, reference] = /^declined by the person, reference (\S+)$/.exec(String(refused['error_description']))!
    expect(gateway.log()).toContain(`"request":"${reference}"`)
    expect(await events('confirmation-refused', id)).toMatchObject([{ actor: id, app: 'care' }])

    const second = await ask(gateway, 'care', { login_hint: username })
    const done = await answer(screen, await question(gateway, screen), 'disown')
    expect(done.text).toContain('until tomorrow')
    expect((await poll(gateway, 'care', second.body['auth_req_id'])).body['error']).toBe('access_denied')
    expect(await events('confirmation-disowned', id)).toMatchObject([{ actor: id, app: 'care' }])
    // the app learns nothing of that
    const third = await ask(gateway, 'care', { login_hint: username })
    expect(third.status).toBe(200)
    expect(await waiting(gateway, screen)).toEqual([])
    // another one is heard
    await ask(gateway, 'told', { login_hint: username })
    expect(await waiting(gateway, screen)).toHaveLength(1)
  })

  test('names the person by an ID token as well, and by a mail address where people sign in with it', async () => {
    const app = await relyingParty(gateway, 'care')
    const screen = await screenOf(gateway, username)
    const { tokens } = await signIn(screen, app, username, { scope: 'openid' })
    await ask(gateway, 'care', { id_token_hint: tokens.id_token! })
    await answer(screen, await question(gateway, screen), 'deny')
    await gateway.server.house.people.change(id, { mail: `${username}@kestrel.example` }, 'test')
    await ask(gateway, 'care', { login_hint: `${username}@kestrel.example` })
    // nobody signs in with that here
    expect(await waiting(gateway, screen)).toEqual([])
    const { id: other } = await gateway.server.house.people.add(
      { username: `${username}@kestrel.example`, name: 'By mail', groups: ['staff'], password: PASSWORD },
      'test',
    )
    expect(other).not.toBe(id)
    const theirs = await screenOf(gateway, `${username}@kestrel.example`)
    expect(await waiting(gateway, theirs)).toHaveLength(1)
    expect(await waiting(gateway, screen)).toEqual([])
  })

  test('has its user named, where it shows their access token', async () => {
    const agent = await relyingParty(gateway, 'care')
    const at = await screenOf(gateway, username)
    const { tokens } = await signIn(at, agent, username, { scope: 'openid' })
    const [name, agentId] = [`Person ${people}`, id]
    const actor = {
      actor_token: tokens.access_token,
      actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    await join()
    const { body } = await ask(gateway, 'care', { login_hint: username, ...actor })
    const screen = await screenOf(gateway, username)
    const page = await question(gateway, screen)
    expect(page.text.replace(/<[^>]+>/g, '')).toContain(`${name} asks you with this app.`)
    // it is kept nowhere
    const { state } = gateway.server.house.storage
    expect(await state.get(`oidc:BackchannelAuthenticationRequest:${body['auth_req_id']}`)).not.toContain(
      tokens.access_token,
    )
    // of another app, of nobody, of another kind, and of somebody who has signed out
    for (const wrong of [
      { ...actor, actor_token: 'x'.repeat(43) },
      { ...actor, actor_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      { actor_token: tokens.access_token },
      { actor_token_type: actor.actor_token_type },
    ])
      expect((await ask(gateway, 'care', { login_hint: username, ...wrong } as never)).body['error']).toBe(
        'invalid_request',
      )
    expect((await ask(gateway, 'told', { login_hint: username, ...actor })).body['error']).toBe('invalid_request')
    await gateway.server.house.sessions.endAll(agentId, 'test', 'test')
    expect((await ask(gateway, 'care', { login_hint: username, ...actor })).body['error']).toBe('invalid_request')
  })
})

describe('who approves', () => {
  test('proves more first where the policy of the app wants it, and is asked on the way', async () => {
    const secret = await giveTotp(gateway, id, clock.now())
    clock.at += 30_000
    const { body } = await ask(gateway, 'strict', { login_hint: username })
    const screen = await screenOf(gateway, username)
    const first = await question(gateway, screen)
    expect(first.text).toContain('prove that it is you first')
    const asked = await answer(screen, first, 'allow')
    expect(asked.url.pathname).toMatch(/^\/signin\//)
    expect((await poll(gateway, 'strict', body['auth_req_id'])).body['error']).toBe('authorization_pending')
    const back = await screen.submit(formOf(asked, 'totp'), { code: totpCode(secret, clock.now()) })
    clock.at += 30_000
    expect(back.text).toContain('Now answer.')
    await answer(screen, back, 'allow')
    const { body: tokens } = await poll(gateway, 'strict', body['auth_req_id'])
    const claims = JSON.parse(Buffer.from(String(tokens['id_token']).split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ sub: id, acr: 'two-factors' })
  })

  test('proves what the app asks for beyond the policy, and is never taken for having proved what they cannot', async () => {
    const secret = await giveTotp(gateway, id, clock.now())
    clock.at += 30_000
    const { body } = await ask(gateway, 'care', { login_hint: username, acr_values: 'two-factors' })
    const screen = await screenOf(gateway, username)
    const asked = await answer(screen, await question(gateway, screen), 'allow')
    const back = await screen.submit(formOf(asked, 'totp'), { code: totpCode(secret, clock.now()) })
    clock.at += 30_000
    await answer(screen, back, 'allow')
    const { body: tokens } = await poll(gateway, 'care', body['auth_req_id'])
    const claims = JSON.parse(Buffer.from(String(tokens['id_token']).split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ acr: 'two-factors' })

    const never = await ask(gateway, 'care', { login_hint: username, acr_values: 'made-up' })
    await answer(screen, await question(gateway, screen), 'allow')
    const { body: refused } = await poll(gateway, 'care', never.body['auth_req_id'])
    expect(refused).toMatchObject({ error: 'access_denied' })
    expect(refused['error_description']).toContain('requested authentication cannot be performed, reference ')
  })

  test('is refused by the policy of the app; both read the same reference', async () => {
    const { body } = await ask(gateway, 'closed', { login_hint: username })
    const screen = await screenOf(gateway, username)
    const page = await answer(screen, await question(gateway, screen), 'allow')
    const reference = page.url.pathname.slice('/why/'.length)
    expect(page.text).toContain(reference)
    const { body: refused } = await poll(gateway, 'closed', body['auth_req_id'])
    expect(refused).toMatchObject({
      error: 'access_denied',
      error_description: `refused by policy, reference ${reference}`,
    })
    expect(await gateway.server.house.receipts.find(reference)).toMatchObject({ outcome: 'deny', policy: 'closed' })
    expect(await events('confirmation-refused', id)).toMatchObject([{ receipt: reference }])
  })

  test('reads nothing of an app that is not for them, and such an app hears nothing of that', async () => {
    const { status } = await ask(gateway, 'elsewhere', { login_hint: username })
    expect(status).toBe(200)
    expect(await waiting(gateway, await screenOf(gateway, username))).toEqual([])
  })

  test('gives a token for an API under the policy of the API, in its words, cut by its rules', async () => {
    const scope = 'openid orders:read orders:write'
    const { body } = await ask(gateway, 'shop', { login_hint: username, scope, resource: ORDERS })
    const screen = await screenOf(gateway, username)
    const page = await question(gateway, screen)
    for (const words of ['Orders: Read your orders', 'Orders: Change your orders']) expect(page.text).toContain(words)
    await answer(screen, page, 'allow')
    const { body: tokens } = await poll(gateway, 'shop', body['auth_req_id'], { resource: ORDERS })
    expect(tokens).toMatchObject({ scope: 'orders:read', expires_in: 60 })
    const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
    const { payload } = await jwtVerify(String(tokens['access_token']), createLocalJWKSet(jwks), { audience: ORDERS })
    expect(payload).toMatchObject({ sub: id, client_id: 'shop', scope: 'orders:read', acr: 'any' })

    await join(['staff', 'barred'])
    const barred = await ask(gateway, 'shop', { login_hint: username, scope, resource: ORDERS })
    const theirs = await screenOf(gateway, username)
    await answer(theirs, await question(gateway, theirs), 'allow')
    const refused = (await poll(gateway, 'shop', barred.body['auth_req_id'])).body
    const [reference] = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(String(refused['error_description']))!
    expect(await gateway.server.house.receipts.find(reference)).toMatchObject({ policy: 'orders', rule: 'not them' })
  })

  test('agrees, to an app that is not ours, to what stands on the page, and can take it back', async () => {
    const { body } = await ask(gateway, 'theirs', {
      ...{ login_hint: username, scope: 'openid profile orders:read', resource: ORDERS },
    })
    const screen = await screenOf(gateway, username)
    await answer(screen, await question(gateway, screen), 'allow')
    const { body: tokens } = await poll(gateway, 'theirs', body['auth_req_id'], { resource: ORDERS })
    expect(tokens).toMatchObject({ scope: 'orders:read' })
    const { text } = await screen.open(`${gateway.issuer}/account`)
    for (const words of ['see your name', 'Orders: Read your orders']) expect(text).toContain(words)
    expect(await events('consent-given', id)).toMatchObject([{ app: 'theirs' }])
  })

  test('reads authorization details in the words of the API, and gives them with the token', async () => {
    const details = [{ type: 'payment', amount: '12.50' }]
    const { body } = await ask(gateway, 'shop', {
      ...{ login_hint: username, scope: 'openid', resource: ORDERS, authorization_details: JSON.stringify(details) },
    })
    const screen = await screenOf(gateway, username)
    const page = await question(gateway, screen)
    expect(page.text.replace(/<[^>]+>/g, '')).toContain('Orders: Pay 12.50')
    await answer(screen, page, 'allow')
    const { body: tokens } = await poll(gateway, 'shop', body['auth_req_id'], { resource: ORDERS })
    expect(tokens['authorization_details']).toEqual(details)
  })

  test('ends what was given with their session, unless the app stays; and everything when they are switched off', async () => {
    const screen = await screenOf(gateway, username)
    const given: Record<string, string> = {}
    for (const client of ['care', 'stays']) {
      const scope = client === 'stays' ? 'openid offline_access' : 'openid'
      const { body } = await ask(gateway, client, { login_hint: username, scope })
      await answer(screen, await question(gateway, screen), 'allow')
      given[client] = String((await poll(gateway, client, body['auth_req_id'])).body['access_token'])
    }
    const may = async (client: string) => {
      const headers = { authorization: `Bearer ${given[client]}` }
      return (await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers })).status
    }
    expect([await may('care'), await may('stays')]).toEqual([200, 200])
    await gateway.server.house.sessions.endAll(id, 'test', 'test')
    expect([await may('care'), await may('stays')]).toEqual([401, 200])
    await gateway.server.house.people.disable(id, 'test')
    expect([await may('care'), await may('stays')]).toEqual([401, 401])
  })

  test('gives nothing once they are switched off, also where they have approved before', async () => {
    const { body } = await ask(gateway, 'care', { login_hint: username })
    const screen = await screenOf(gateway, username)
    await answer(screen, await question(gateway, screen), 'allow')
    await gateway.server.house.people.disable(id, 'test')
    expect((await poll(gateway, 'care', body['auth_req_id'])).body['error']).toBe('invalid_grant')
    // whoever asks now is answered as before
    const again = await ask(gateway, 'care', { login_hint: username })
    expect([again.status, (await poll(gateway, 'care', again.body['auth_req_id'])).body['error']]).toEqual([
      200,
      'authorization_pending',
    ])
  })

  test('puts claims into the ID token of an app that never asks userinfo', async () => {
    const { body } = await ask(gateway, 'told', { login_hint: username, scope: 'openid profile' })
    const screen = await screenOf(gateway, username)
    await answer(screen, await question(gateway, screen), 'allow')
    const { body: tokens } = await poll(gateway, 'told', body['auth_req_id'])
    const claims = JSON.parse(Buffer.from(String(tokens['id_token']).split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ name: `Person ${people}`, sid: expect.any(String) })
  })
})

describe('a page that is left open', () => {
  test('is told that something has changed, which keeps nobody signed in, and tells strangers nothing', async () => {
    const screen = await screenOf(gateway, username)
    const marks = async () =>
      /data-asked="([^"]+)"/.exec((await screen.open(`${gateway.issuer}/confirmations`)).text)?.[1]
    const before = await marks()
    expect((await screen.open(gateway.issuer)).text).toContain(`data-asked="${before}"`)
    await ask(gateway, 'care', { login_hint: username })
    const after = await marks()
    expect([before, after].map((one) => typeof one)).toEqual(['string', 'string'])
    expect(after).not.toBe(before)
    expect((await screen.open(gateway.issuer)).text).toContain(`data-asked="${after}"`)
    const [session] = await gateway.server.house.sessions.ofPerson(id)
    clock.at += 5 * 60_000
    await marks()
    expect((await gateway.server.house.sessions.byId(session!.id))!.lastSeenAt).toBe(session!.lastSeenAt)
    const stranger = await (await fetch(`${gateway.issuer}/confirmations`)).text()
    expect(stranger).not.toContain('<section')
  })
})

describe('discovery', () => {
  test('says how it works', async () => {
    const metadata = (await (await fetch(`${gateway.issuer}/.well-known/openid-configuration`)).json()) as object
    expect(metadata).toMatchObject({
      backchannel_authentication_endpoint: `${gateway.issuer}/oauth2/ciba`,
      backchannel_token_delivery_modes_supported: ['poll'],
      grant_types_supported: expect.arrayContaining([CIBA]),
    })
  })
})
