/** Questions on another screen (CIBA) in the hands of somebody who means harm: floods, guesses, other people's, replays, races. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { createAskedQuestions } from '../../src/protocol/oidc/ciba/asked.ts'
import { answer, ask, CIBA, poll, question, screenOf, send, waiting } from '../support/ciba.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { ecKeys, es256, hs256, jwt, now, registered, unsigned } from '../support/proofs.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'
import { cookiesOf, movableClock, post } from './people.ts'

const clock = movableClock()
const asks = (id: string, more: object = {}) => ({
  ...{ id, name: `App ${id}`, policy: 'plain', audience: ['*'] },
  oidc: { redirect_uris: [], scopes: ['openid'], grant_types: [CIBA], ...more },
})
const keys = ecKeys()
const DESKS = Array.from({ length: 6 }, (_, i) => `desk-${i + 1}`)

let gateway: Gateway
let username: string
let id: string
let desk: string
let people = 0
beforeAll(async () => {
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    apps: [
      ...DESKS.map((one) => asks(one)),
      asks('other', { redirect_uris: [CALLBACK], grant_types: ['authorization_code', CIBA] }),
      asks('flood'),
      asks('signed', { require_signed_request_object: true, jwks: { keys: [registered(keys, 'k')] } }),
      asks('plain', { redirect_uris: [CALLBACK], grant_types: ['authorization_code'] }),
    ] as never,
  })
})
afterAll(() => gateway.close())
beforeEach(async () => {
  username = `person${++people}`
  const person = { username, name: username, groups: ['staff'], password: PASSWORD }
  id = (await gateway.server.house.people.add(person, 'test')).id
  clock.at = Math.max(clock.at, Date.now())
  // each app may ask so often: they take turns
  desk = DESKS[people % DESKS.length]!
})

/** Each refusal has one of its own. */
const withoutReference = (body: Record<string, unknown>): Record<string, unknown> => ({
  ...body,
  error_description: String(body['error_description']).replace(/E-[0-9A-Z]{4}-[0-9A-Z]{4}/, 'REFERENCE'),
})

describe('a name that nobody has', () => {
  test('is answered, and waited for, and is over like that of somebody who does not look', async () => {
    const known = await ask(gateway, desk, { login_hint: username, requested_expiry: '20' })
    const unknown = await ask(gateway, desk, { login_hint: `${username}-not`, requested_expiry: '20' })
    const shape = ({ status, body, headers }: typeof known) => [
      status,
      Object.entries(body).map(([name, value]) => [name, typeof value, String(value).length]),
      [...headers.keys()].toSorted(),
    ]
    expect(shape(unknown)).toEqual(shape(known))
    const polled = async () => [
      (await poll(gateway, desk, known.body['auth_req_id'])).body,
      (await poll(gateway, desk, unknown.body['auth_req_id'])).body,
    ]
    const [first, second] = await polled()
    expect(first).toEqual(second)
    clock.at += 21_000
    const [third, fourth] = (await polled()).map(withoutReference)
    expect([third!['error'], fourth]).toEqual(['expired_token', third])
  })

  test('is counted as that of somebody is', async () => {
    const counted = async (login_hint: string) => {
      const said: number[] = []
      for (let i = 0; i < 6; i++) said.push((await ask(gateway, desk, { login_hint })).status)
      return said
    }
    expect(await counted(`${username}-not`)).toEqual(await counted(username))
  })
})

describe('a flood', () => {
  test('of one app to one person ends after five, in whatever spelling of the name, with a time to wait', async () => {
    const spellings = [username, username.toUpperCase(), ` ${username} `, `${username}\t`, username]
    for (const login_hint of spellings) expect((await ask(gateway, desk, { login_hint })).status).toBe(200)
    const { status, body, headers } = await ask(gateway, desk, { login_hint: username })
    expect([status, body['error'], headers.get('retry-after')]).toEqual([429, 'temporarily_unavailable', '300'])
    const [told] = await gateway.server.house.audit.search({ event: 'confirmation-throttled' })
    expect(told).toMatchObject({ actor: desk, count: 5 })
    clock.at += 300_001
    expect((await ask(gateway, desk, { login_hint: username })).status).toBe(200)
    // the engine has a clock of its own
    clock.at = Date.now()
  })

  test('of several apps to one person ends after twenty; nobody reads more than five at once', async () => {
    const said: number[] = []
    for (const one of DESKS.slice(0, 5))
      for (let i = 0; i < 5; i++) said.push((await ask(gateway, one, { login_hint: username })).status)
    expect(said.filter((status) => status === 200)).toHaveLength(20)
    expect(await waiting(gateway, await screenOf(gateway, username))).toHaveLength(5)
  })

  test('of one app to one person ends after five, under all of their names together, and the app learns nothing of that', async () => {
    const screen = await screenOf(gateway, username)
    const { tokens } = await signIn(screen, await relyingParty(gateway, 'other'), username, { scope: 'openid' })
    const hints = [
      { login_hint: username },
      { id_token_hint: tokens.id_token! },
      { login_hint: username.toUpperCase() },
    ]
    const asked: unknown[] = []
    for (let i = 0; i < 7; i++) {
      // more than five of one of them are refused when it asks
      const { status, body } = await ask(gateway, 'other', { ...hints[i % 3]!, requested_expiry: '900' } as Record<
        string,
        string
      >)
      expect(status).toBe(200)
      asked.push(body['auth_req_id'])
    }
    let read = 0
    for (let page = await waiting(gateway, screen); page[0]; page = await waiting(gateway, screen)) {
      read++
      await answer(screen, await screen.open(page[0]), 'deny')
    }
    expect(read).toBe(5)
    // what it hears is what it would hear of somebody who does not look
    const said = []
    for (const one of asked) said.push((await poll(gateway, 'other', one)).body['error'])
    expect(said.toSorted()).toEqual([...Array(5).fill('access_denied'), ...Array(2).fill('authorization_pending')])
    // those of others are read meanwhile
    await ask(gateway, desk, { login_hint: username })
    expect((await question(gateway, screen)).text).toContain(`App ${desk}`)
    expect(await waiting(gateway, screen)).toHaveLength(1)
    // the other one is over by then, and those that waited have their turn
    clock.at += 330_000
    expect(await waiting(gateway, screen)).toHaveLength(2)
    clock.at = Date.now()
  })

  test('of two tabs at once counts each question once', async () => {
    const screen = await screenOf(gateway, username)
    for (let i = 0; i < 5; i++) await ask(gateway, desk, { login_hint: username })
    const tabs = await Promise.all(Array.from({ length: 6 }, () => waiting(gateway, screen)))
    for (const shown of [...tabs, await waiting(gateway, screen)]) expect(shown).toHaveLength(5)
  })

  test.each([
    ['of apps', {}],
    ['of apps that are not for them', { audience: ['nobody-here'] }],
  ])('%s with all their time keeps nobody from reading what another one asks', async (_, more) => {
    for (const one of ['a', 'b', 'c']) {
      const loud = { ...asks(`loud-${people}-${one}`), ...more }
      const { clientSecret } = await gateway.server.house.catalog.apps.register(loud as never, 'test')
      const headers = { authorization: `Basic ${btoa(`${loud.id}:${clientSecret}`)}` }
      for (let i = 0; i < 5; i++) {
        const body = new URLSearchParams({ scope: 'openid', login_hint: username, requested_expiry: '900' })
        const asked = await fetch(`${gateway.issuer}/oauth2/ciba`, { method: 'POST', headers, body })
        expect(asked.status).toBe(200)
      }
    }
    const screen = await screenOf(gateway, username)
    await waiting(gateway, screen)
    const { body } = await ask(gateway, desk, { login_hint: username })
    const pages = []
    for (const one of await waiting(gateway, screen)) pages.push(await screen.open(one))
    await answer(screen, pages.find(({ text }) => text.includes(`App ${desk}`))!, 'allow')
    expect((await poll(gateway, desk, body['auth_req_id'])).status).toBe(200)
  })

  test('of one app to everybody ends after sixty', async () => {
    const said: number[] = []
    for (let i = 0; i < 62; i++) said.push((await ask(gateway, 'flood', { login_hint: `nobody-${i}` })).status)
    expect(said.filter((status) => status === 200)).toHaveLength(60)
  })
})

describe('an auth_req_id', () => {
  test('of another app, of nobody and of any other kind gives nothing, and says nothing', async () => {
    const { body } = await ask(gateway, desk, { login_hint: username })
    const screen = await screenOf(gateway, username)
    await answer(screen, await question(gateway, screen), 'allow')
    const bodies = []
    for (const id of [body['auth_req_id'], 'x'.repeat(43), 'x'.repeat(5000), '__proto__', 'a\u0000b'])
      bodies.push((await poll(gateway, 'other', id)).body)
    for (const one of bodies) expect(one).toEqual({ error: 'invalid_grant', error_description: expect.any(String) })
    expect(new Set(bodies.map((one) => JSON.stringify(withoutReference(one)))).size).toBe(1)
    // and the right one still has it
    expect((await poll(gateway, desk, body['auth_req_id'])).status).toBe(200)
  })

  test('is worth tokens once; a second time ends what the first one gave', async () => {
    const { body } = await ask(gateway, desk, { login_hint: username })
    const screen = await screenOf(gateway, username)
    await answer(screen, await question(gateway, screen), 'allow')
    const tokens = (await poll(gateway, desk, body['auth_req_id'])).body
    expect((await poll(gateway, desk, body['auth_req_id'])).body['error']).toBe('invalid_grant')
    const headers = { authorization: `Bearer ${tokens['access_token']}` }
    expect((await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers })).status).toBe(401)
    const [event] = await gateway.server.house.audit.search({ event: 'code-reuse-detected', subject: id })
    expect(event).toMatchObject({ app: desk })
  })

  test('shown by thirty at the same time is worth tokens to one at most', async () => {
    const { body } = await ask(gateway, desk, { login_hint: username })
    const screen = await screenOf(gateway, username)
    await answer(screen, await question(gateway, screen), 'allow')
    const all = await Promise.all(Array.from({ length: 30 }, () => poll(gateway, desk, body['auth_req_id'])))
    expect(all.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    for (const { status, body: said } of all) expect([status, said['error']]).not.toEqual([500, 'server_error'])
  })
})

describe('a request', () => {
  test.each([
    ['nobody named', {}],
    ['two who name somebody', { login_hint: 'a', id_token_hint: 'b' }],
    ['an empty name', { login_hint: '' }],
    ['a name with control characters', { login_hint: 'sam\u0000' }],
    ['a name with a turn of direction', { login_hint: 'sam\u202e' }],
    ['an endless name', { login_hint: 'x'.repeat(10_000) }],
    ['a token as a hint', { login_hint_token: 'x.y.z' }],
    ['a forged ID token', { id_token_hint: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' }],
    ['words that nobody says', { binding_message: 'one\ntwo' }],
    ['a control character', { binding_message: 'a\u0007b' }],
    ['a turn of direction', { binding_message: 'pay \u202e000001' }],
    ['something invisible', { binding_message: 'a\u200bb' }],
    ['a pile of accents', { binding_message: `a${'\u0301'.repeat(9)}` }],
    ['an endless message', { binding_message: 'x'.repeat(101) }],
    ['a message of blanks', { binding_message: ' ' }],
    ['no time at all', { requested_expiry: '0' }],
    ['a time before', { requested_expiry: '-1' }],
    ['a time in another notation', { requested_expiry: '1e2' }],
    ['half a second', { requested_expiry: '0.5' }],
    ['endless time', { requested_expiry: '9'.repeat(30) }],
    ['claims that are none', { claims: '{"id_token":{"acr":7}}' }],
    ['claims of nothing', { claims: 'nothing' }],
    ['another API', { resource: 'https://api.kestrel.example/none' }],
    ['no sign-in', { scope: 'profile' }],
    ['a request elsewhere', { request_uri: 'https://127.0.0.1/x' }],
    ['an unsigned request', { request: 'eyJhbGciOiJub25lIn0.e30.' }],
  ])('with %s is refused in the form of the protocol, and asks nobody', async (_, fields: Record<string, string>) => {
    const names = ['login_hint', 'id_token_hint', 'login_hint_token', 'request']
    const named = names.some((name) => name in fields) || _ === 'nobody named' ? {} : { login_hint: username }
    const { status, body } = await ask(gateway, desk, { ...named, ...fields })
    expect([status, typeof body['error'], body['auth_req_id']]).toEqual([400, 'string', undefined])
    expect(body['error']).not.toBe('server_error')
    expect(await waiting(gateway, await screenOf(gateway, username))).toEqual([])
  })

  test.each(['4711', 'Desk 12: is it you?', 'Überprüfen Sie 7 €', 'Подтвердите 12', '確認 12', 'x'.repeat(100)])(
    'with the message %s is read as it was sent',
    async (binding_message) => {
      expect((await ask(gateway, desk, { login_hint: username, binding_message })).status).toBe(200)
      const screen = await screenOf(gateway, username)
      expect((await question(gateway, screen)).text).toContain(`<bdi>${binding_message}</bdi>`)
    },
  )

  test('with markup is shown as text', async () => {
    const binding_message = '<img src=x onerror=alert(1)>'
    await ask(gateway, desk, { login_hint: username, binding_message })
    const screen = await screenOf(gateway, username)
    const [first] = await waiting(gateway, screen)
    for (const { text } of [await screen.open(gateway.issuer), await screen.open(first!)])
      expect([text.includes('<img'), text.includes('&lt;img src=x onerror=alert(1)&gt;')]).toEqual([false, true])
  })

  const about = () => ({
    ...{ iss: 'signed', aud: gateway.issuer, client_id: 'signed', scope: 'openid', login_hint: username },
    ...{ iat: now(), nbf: now(), exp: now() + 60, jti: `j${people}`, requested_expiry: 60 },
  })
  const signed = (claims: object, alg = 'ES256', signer = es256(keys.privateKey)) =>
    send(gateway, 'signed', 'ciba', { request: jwt({ alg, kid: 'k' }, { ...about(), ...claims }, signer) })

  test('that is signed is taken with all that it has to say, numbers as numbers', async () => {
    const { status, body } = await signed({})
    expect([status, body['expires_in']]).toEqual([200, 60])
  })

  test.each([
    ...['aud', 'iss', 'exp', 'iat', 'nbf', 'jti'].map((name): [string, object] => [
      `without ${name}`,
      { [name]: undefined },
    ]),
    ['for somebody else', { aud: 'https://other.example' }],
    ['by another client', { iss: 'other' }],
    ['that is over', { exp: now() - 120 }],
    ['that holds for more than an hour', { exp: now() + 4200 }],
    ['from long ago', { nbf: now() - 4200 }],
    ['from the future', { nbf: now() + 600, exp: now() + 700 }],
    ['that is an assertion', { sub: 'signed' }],
    ['about two people', { id_token_hint: 'x.y.z' }],
  ])('that is signed %s is refused', async (_, claims) => {
    const { status, body } = await signed(claims)
    expect([status, body['error'], body['auth_req_id']]).toEqual([400, 'invalid_request', undefined])
  })

  test('that is signed by nobody, by another key or by the secret is refused, and so is one that is not signed', async () => {
    const secret = gateway.secrets.get('signed')!
    const all = [
      await signed({}, 'none', unsigned),
      await signed({}, 'ES256', es256(ecKeys().privateKey)),
      await signed({}, 'HS256', hs256(secret)),
      await ask(gateway, 'signed', { login_hint: username }),
    ]
    for (const { status, body } of all) expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })

  test('with a parameter twice, of an app without the grant, without the secret and by another method is refused', async () => {
    const twice = await send(gateway, desk, 'ciba', `scope=openid&login_hint=${username}&login_hint=other`)
    expect([twice.status, twice.body['error']]).toEqual([400, 'invalid_request'])
    const without = await ask(gateway, 'plain', { login_hint: username })
    expect([without.status, without.body['error']]).toEqual([400, 'unauthorized_client'])
    const stranger = await send({ ...gateway, secrets: new Map() }, desk, 'ciba', {
      scope: 'openid',
      login_hint: 'x',
    })
    expect([stranger.status, stranger.body['error']]).toEqual([401, 'invalid_client'])
    expect((await fetch(`${gateway.issuer}/oauth2/ciba?login_hint=x`)).status).toBe(405)
  })

  test('cannot be registered by an app that does not authenticate', async () => {
    const { register } = gateway.server.house.catalog.apps
    const open = asks('open', { token_endpoint_auth_method: 'none' })
    await expect(register(open as never, 'test')).rejects.toMatchObject({ detail: 'ciba-public' })
  })
})

describe('an answer', () => {
  test("of somebody else, without a session, from another site and to somebody else's question is none", async () => {
    const { body } = await ask(gateway, desk, { login_hint: username })
    const screen = await screenOf(gateway, username)
    const [mine] = await waiting(gateway, screen)
    await gateway.server.house.people.add(
      { username: `${username}-b`, name: 'b', groups: ['staff'], password: PASSWORD },
      'test',
    )
    const other = await screenOf(gateway, `${username}-b`)
    const fields = { step: 'confirm', answer: 'allow' }
    expect((await other.open(mine!)).status).toBe(410)
    expect((await post(other, mine!, fields)).status).toBe(410)
    const stranger = await post(createBrowser(), mine!, fields)
    expect([stranger.status, stranger.location.startsWith('/signin/')]).toEqual([303, true])
    const elsewhere = await post(screen, mine!, fields, {
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
    })
    expect(elsewhere.status).toBe(403)
    for (const wrong of [{}, { step: 'confirm' }, { step: 'confirm', answer: 'yes' }, { answer: 'allow' }])
      expect((await post(screen, mine!, wrong)).status).toBe(200)
    expect((await poll(gateway, desk, body['auth_req_id'])).body['error']).toBe('authorization_pending')
  })

  test('comes twice: the page from before says that it is over, and the first one stays', async () => {
    const { body } = await ask(gateway, desk, { login_hint: username })
    const screen = await screenOf(gateway, username)
    const page = await question(gateway, screen)
    await answer(screen, page, 'deny')
    expect((await answer(screen, page, 'allow')).status).toBe(410)
    expect((await poll(gateway, desk, body['auth_req_id'])).body['error']).toBe('access_denied')
  })

  test('of two who have read the question before either answers counts once', async () => {
    const { storage, people } = gateway.server.house
    const rooms = { state: storage.state, clock, people }
    const [one, two] = [createAskedQuestions(rooms), createAskedQuestions(rooms)]
    await ask(gateway, desk, { login_hint: username })
    const person = (await people.byId(id))!
    const [[first], [second]] = [await one.of(person), await two.of(person)]
    expect([await one.claim(first!), await two.claim(second!)]).toEqual([true, false])
    expect(await two.of(person)).toEqual([])
  })

  test('comes from many tabs and two servers at the same time: one counts, and the app hears that one', async () => {
    const port = await freePort()
    const { startServer } = await import('../../src/server.ts')
    const { loadSettings } = await import('#config')
    const { silentLog } = await import('#core/log')
    const { settings, folder } = loadSettings(`${gateway.folder}/portico.yaml`, {})
    const second = await startServer({
      settings: { ...settings!, listen: `127.0.0.1:${port}` },
      folder,
      log: silentLog,
      clock,
    })
    try {
      for (let round = 0; round < 3; round++) {
        const { body } = await ask(gateway, DESKS[round]!, { login_hint: username })
        const screen = await screenOf(gateway, username)
        const { action } = formOf(await question(gateway, screen), 'confirm')
        const there = new URL(action)
        there.port = String(port)
        const host = { host: action.host, origin: action.origin }
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, i) =>
            postAt(i % 2 ? there : action, host, cookiesOf(screen), i % 3 ? 'allow' : 'deny'),
          ),
        )
        const won = answers.filter(({ status }) => status === 303)
        expect(won).toHaveLength(1)
        expect(answers.filter(({ status }) => status === 410)).toHaveLength(11)
        const { status } = await poll(gateway, DESKS[round]!, body['auth_req_id'])
        expect(status).toBe(won[0]!.location === '/?answered=approved' ? 200 : 400)
      }
      const { audit } = gateway.server.house
      const told = await audit.search({
        event: ['confirmation-approved', 'confirmation-refused'] as never,
        subject: id,
      })
      expect(told).toHaveLength(3)
    } finally {
      await second.close()
    }
  })
})

async function postAt(url: URL, host: Record<string, string>, cookie: string, said: string) {
  const { request } = await import('node:http')
  const body = new URLSearchParams({ step: 'confirm', answer: said }).toString()
  const headers = {
    ...host,
    cookie,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': body.length,
  }
  return new Promise<{ status: number; location: string }>((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port: url.port, path: url.pathname, method: 'POST', headers },
      (answer) => {
        answer
          .resume()
          .on('end', () => resolve({ status: answer.statusCode!, location: answer.headers.location ?? '' }))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
