/**
 * Two copies of what is worth tokens once, sent to two processes: one of them stops at each piece that it sends to a store, the
 * other one runs from its beginning to its end meanwhile. Exactly one gets tokens. They work when the one that stopped had
 * looked before they were given; when it looks afterwards, it is a second use, which ends them (RFC 6749 §4.1.2).
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf, formsOf } from '../../demo/browser.ts'
import { issuedUnder, objectKey } from '../../src/protocol/oidc/grant-groups.ts'
import { answer, CIBA, question, screenOf, send } from '../support/ciba.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { anApp, appAddress } from './people.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

let postgres: Postgres
let redis: RedisServer
/** The one that stops, and the one that nothing stops. */
let gateway: Gateway
let other: Gateway
let browser: Browser
let asked = 0
const ways = {} as { PostgreSQL: TcpProxy; Redis: TcpProxy }
let armed:
  | { left: number; readonly way: TcpProxy; readonly value: string; looked: boolean; stopped(): void }
  | undefined

beforeAll(async () => {
  ;[postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  ways.PostgreSQL = await startTcpProxy({ to: postgres.port })
  ways.Redis = await startTcpProxy({ to: redis.port })
  for (const way of Object.values(ways))
    way.watch((piece, direction) => {
      if (direction === 'to-client' || !armed) return
      if (armed.way === way && armed.left-- === 0) {
        // on neither way: what goes by itself now and then must not let it run on beside the other
        for (const each of Object.values(ways)) each.hold()
        armed.stopped()
      } else if (armed.left >= 0) armed.looked ||= piece.includes(armed.value)
    })
  const database = postgres.url(await postgres.create())
  const oidc = (id: string, grants: readonly string[]) =>
    anApp(id, 'plain', {
      oidc: {
        ...{ redirect_uris: [CALLBACK], scopes: ['openid'], pkce: 'optional' },
        grant_types: ['authorization_code', ...grants],
      },
    })
  gateway = await startGateway({
    storage: database.replace(`:${postgres.port}/`, `:${ways.PostgreSQL.port}/`),
    settings: { state: { url: `redis://127.0.0.1:${ways.Redis.port}` } },
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [oidc('web', []), oidc('shop', ['refresh_token', DEVICE_CODE, CIBA])] as never,
  })
  other = await startGateway({
    storage: database,
    settings: {
      issuer: gateway.issuer,
      secrets: { key_file: join(gateway.folder, 'master.key') },
      state: { url: redis.url },
    },
    policies: POLICIES,
  })
  browser = createBrowser({ stopAt: CALLBACK })
  await typePassword(browser, await browser.open(appAddress(gateway, 'web')), 'sam')
})
afterAll(async () => {
  for (const way of Object.values(ways)) way.restore()
  await gateway?.close()
  await other?.close()
  await Promise.all(Object.values(ways).map((way) => way.close()))
  await Promise.all([postgres?.end(), redis?.end()])
})

type Fields = Readonly<Record<string, string>>
type Told = Readonly<{ status: number; body: Record<string, string> }>
/** With the secret in the header a code takes the short way in front of the engine; one in the body is the engine's. */
type By = 'header' | 'body'

async function redeem(at: Gateway, app: string, fields: Fields, by: By): Promise<Told> {
  const secret = gateway.secrets.get(app)!
  const answered = await fetch(`${at.issuer}/oauth2/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(by === 'header' ? { authorization: `Basic ${btoa(`${app}:${secret}`)}` } : {}),
    },
    body: `${new URLSearchParams({ ...(by === 'body' ? { client_id: app, client_secret: secret } : {}), ...fields })}`,
  })
  return { status: answered.status, body: (await answered.json()) as Record<string, string> }
}
const VERIFIER = 'v'.repeat(43)
const PKCE = { code_challenge: '7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM', code_challenge_method: 'S256' }
async function code(app: string, more: Fields = {}): Promise<Fields> {
  const page = await browser.open(appAddress(gateway, app, { ...PKCE, ...more }))
  const value = page.url.searchParams.get('code')!
  return { grant_type: 'authorization_code', code: value, redirect_uri: CALLBACK, code_verifier: VERIFIER }
}

/** Tokens that were given before. */
let before: readonly (string | undefined)[] = []
async function refreshToken(): Promise<Fields> {
  const { body } = await redeem(other, 'shop', await code('shop'), 'body')
  before = [body['access_token'], body['refresh_token']]
  return { grant_type: 'refresh_token', refresh_token: body['refresh_token']! }
}

/** What is spent, and by which of the two ways each copy comes. */
const THINGS: Readonly<Record<string, { app: string; by: readonly [By, By]; make(): Promise<Fields> }>> = {
  'a code': { app: 'web', by: ['body', 'body'], make: () => code('web') },
  'a code on the short way': { app: 'web', by: ['header', 'header'], make: () => code('web') },
  'a code on the short way, and not on it': { app: 'web', by: ['header', 'body'], make: () => code('web') },
  'a code not on the short way, and on it': { app: 'web', by: ['body', 'header'], make: () => code('web') },
  'a refresh token': { app: 'shop', by: ['body', 'body'], make: refreshToken },
  'a refresh token on the short way': { app: 'shop', by: ['header', 'header'], make: refreshToken },
  'a refresh token on the short way, and not on it': { app: 'shop', by: ['header', 'body'], make: refreshToken },
  'a refresh token not on the short way, and on it': { app: 'shop', by: ['body', 'header'], make: refreshToken },
  'a device code': {
    ...{ app: 'shop', by: ['body', 'body'] },
    async make() {
      const { body } = await send(gateway, 'shop', 'device/auth', { scope: 'openid' })
      let page = await browser.open(String(body['verification_uri_complete']))
      page = await browser.submit(formsOf(page).find(({ fields }) => fields.has('user_code'))!)
      page = await browser.submit(formOf(page, 'device-confirm'), { confirm: 'yes' })
      expect(page.status).toBe(200)
      return { grant_type: DEVICE_CODE, device_code: String(body['device_code']) }
    },
  },
  'an answer from another screen': {
    ...{ app: 'shop', by: ['body', 'body'] },
    async make() {
      // nobody is asked as often as this test would ask
      const username = `sam-${++asked}`
      await gateway.server.house.people.add({ username, name: 'Sam', groups: ['staff'], password: PASSWORD }, 'test')
      const screen = await screenOf(gateway, username)
      const { body } = await send(gateway, 'shop', 'ciba', { scope: 'openid', login_hint: username })
      await answer(screen, await question(gateway, screen), 'allow')
      return { grant_type: CIBA, auth_req_id: String(body['auth_req_id']) }
    },
  },
}

/** Tokens under the same grant that nobody was told: of a copy that came too late. */
async function untold({ body }: Told, told: readonly (string | undefined)[]): Promise<string[]> {
  const { storage } = other.server.house
  const stored = await storage.state.get(objectKey('AccessToken', body['access_token']!))
  const { grantId } = JSON.parse(stored!) as { grantId: string }
  const issued = await issuedUnder(storage, grantId)
  const names = issued.flatMap(({ key }) => /^oidc:(?:Access|Refresh)Token:(.+)$/.exec(key)?.[1] ?? [])
  return names.filter((name) => !told.includes(name))
}

const works = async ({ body }: Told) => {
  const headers = { authorization: `Bearer ${body['access_token']}` }
  return (await fetch(`${other.issuer}/oauth2/userinfo`, { headers })).status === 200
}

describe.each(['PostgreSQL', 'Redis'] as const)('a copy that stops on its way to %s', (name) => {
  test.each(Object.entries(THINGS))('%s', async (_what, { app, by, make }) => {
    let overtaken = 0
    for (let pieces = 0; ; pieces++) {
      before = []
      const fields = await make()
      const way = ways[name]
      const stopped = Promise.withResolvers<void>()
      const value = fields['code'] ?? fields['refresh_token'] ?? fields['device_code'] ?? fields['auth_req_id']!
      const stop = { left: pieces, way, value, looked: false, stopped: stopped.resolve }
      armed = stop
      const first = redeem(gateway, app, fields, by[0])
      const isOver = await Promise.race([stopped.promise.then(() => false), first.then(() => true)])
      armed = undefined
      const second = await redeem(other, app, fields, by[1])
      for (const each of Object.values(ways)) each.restore()
      const answers = [await first, second]
      const [won, ...more] = answers.filter(({ status }) => status === 200)
      expect([won?.status, more.length], `after ${pieces} pieces: ${JSON.stringify(answers)}`).toEqual([200, 0])
      const lost = answers.find((one) => one !== won)!
      expect([lost.status, lost.body['error']]).toEqual([400, 'invalid_grant'])
      expect(lost.body['error_description']).toMatch(/reference E-[0-9A-Z-]+$/)
      const lives = won === second && stop.looked
      if (lives) overtaken++
      expect(await works(won!), `after ${pieces} pieces`).toBe(lives)
      if (lives)
        expect(await untold(won!, [won!.body['access_token'], won!.body['refresh_token'], ...before])).toEqual([])
      expect((await redeem(other, app, fields, by[1])).body['error']).toBe('invalid_grant')
      expect(await works(won!), 'used again').toBe(false)
      if (isOver) break
    }
    expect(overtaken).toBeGreaterThan(1)
  })
})
