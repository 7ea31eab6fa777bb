/**
 * Records in PostgreSQL and state in Redis, and one of them gone in the middle of a request to the engine, after each piece that
 * went over the wire: programs are told to come back, in the words of OAuth, and are never told half of something. What they
 * come back with is as good as before: a code or a refresh token is spent by an answer, not by a request that broke off.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '#core/digest'
import { createBrowser, formOf, formsOf } from '../../demo/browser.ts'
import { anApp, appAddress, movableClock } from '../abuse/people.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { type RedisServer, startRedis, until } from '../support/redis.ts'
import { atCallback, type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

let postgres: Postgres
let redis: RedisServer
let gateway: Gateway
let browser: Browser
const ways = {} as { PostgreSQL: TcpProxy; Redis: TcpProxy }
/** Loses the piece that comes to the server when so many have gone through, and everything after it. */
let armed: { left: number; way: TcpProxy; fallen: boolean } | undefined

beforeAll(async () => {
  ;[postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  ways.PostgreSQL = await startTcpProxy({ to: postgres.port })
  ways.Redis = await startTcpProxy({ to: redis.port })
  for (const way of Object.values(ways))
    way.watch((_piece, direction) => {
      if (direction === 'to-client' || armed?.way !== way || armed.fallen || armed.left-- > 0) return
      armed.fallen = true
      way.cut()
    })
  const database = postgres.url(await postgres.create())
  const oidc = {
    redirect_uris: [CALLBACK],
    scopes: ['openid', 'offline_access'],
    pkce: 'optional' as const,
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] as never,
  }
  gateway = await startGateway({
    clock: movableClock(),
    storage: database.replace(`:${postgres.port}/`, `:${ways.PostgreSQL.port}/`),
    settings: { state: { url: `redis://127.0.0.1:${ways.Redis.port}` } },
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      anApp('web', 'plain', { oidc }),
      anApp('short', 'plain'),
      { id: 'machine', template: 'machine', policy: 'plain' },
    ] as never,
  })
  browser = createBrowser({ stopAt: CALLBACK })
  await typePassword(browser, await browser.open(appAddress(gateway, 'web')), 'sam')
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all(Object.values(ways).map((way) => way.close()))
  await Promise.all([postgres?.end(), redis?.end()])
})

type Fields = Readonly<Record<string, string>>
/** With the secret in the body: no short way in front of the engine takes that. */
const byBody = (app: string, path: string, fields: Fields) =>
  fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: app, client_secret: gateway.secrets.get(app)!, ...fields }),
  })
const byHeader = (app: string, path: string, fields: Fields) =>
  fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${app}:${gateway.secrets.get(app)}`)}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(fields).toString(),
  })

async function code(app = 'web', more: Fields = {}): Promise<string> {
  const page = await browser.open(appAddress(gateway, app, more))
  if (!atCallback(page)) throw new Error(`stopped at ${page.url.pathname} (${page.status})`)
  return page.url.searchParams.get('code')!
}
const tokens = async (): Promise<Fields> => {
  const fields = { grant_type: 'authorization_code', redirect_uri: CALLBACK, code: await code() }
  return (await byHeader('web', 'token', fields)).json()
}

const VERIFIER = 'v'.repeat(43)
/** Each prepares what it needs, and answers how to ask. */
const WRONG = 'a wrong secret, of which the partner is told'
const REQUESTS: Readonly<Record<string, () => Promise<() => Promise<Response>>>> = {
  'a code': async () => {
    const fields = { grant_type: 'authorization_code', redirect_uri: CALLBACK, code: await code() }
    return () => byBody('web', 'token', fields)
  },
  'a code on the short way': async () => {
    const asked = { code_challenge: sha256(VERIFIER), code_challenge_method: 'S256' }
    const given = { redirect_uri: CALLBACK, code_verifier: VERIFIER, code: await code('short', asked) }
    return () => byHeader('short', 'token', { grant_type: 'authorization_code', ...given })
  },
  'a refresh': async () => {
    const { refresh_token } = await tokens()
    return () => byBody('web', 'token', { grant_type: 'refresh_token', refresh_token: refresh_token! })
  },
  'a device code': async () => {
    const { verification_uri_complete: address, device_code } = await (
      await byBody('web', 'device/auth', { scope: 'openid' })
    ).json()
    let page = await browser.open(address)
    page = await browser.submit(formsOf(page).find(({ fields }) => fields.has('user_code'))!)
    await browser.submit(formOf(page, 'device-confirm'), { confirm: 'yes' })
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
    return () => byBody('web', 'token', { grant_type, device_code })
  },
  'a program': async () => () => byBody('machine', 'token', { grant_type: 'client_credentials' }),
  introspection: async () => {
    const { access_token } = await tokens()
    return () => byBody('web', 'introspection', { token: access_token! })
  },
  revocation: async () => {
    const { access_token } = await tokens()
    return () => byBody('web', 'revocation', { token: access_token! })
  },
  userinfo: async () => {
    const { access_token } = await tokens()
    return () => fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })
  },
  [WRONG]: async () => () =>
    byBody('web', 'token', { ...{ grant_type: 'refresh_token', refresh_token: 'x' }, client_secret: 'x' }),
  'a pushed request': async () => () =>
    byBody('web', 'request', { response_type: 'code', redirect_uri: CALLBACK, scope: 'openid' }),
  'a code for a device': async () => () => byBody('web', 'device/auth', { scope: 'openid' }),
}

const answered = (what: string) => (what === WRONG ? 401 : what === 'a pushed request' ? 201 : 200)

const healthy = async () => {
  const { storage } = gateway.server.house
  await Promise.all([storage.durable.get('x'), storage.state.get('x')])
  return true
}

describe.each(['PostgreSQL', 'Redis'] as const)('with %s gone', (name) => {
  test.each(Object.entries(REQUESTS))('in the middle of %s', async (what, prepare) => {
    let refused = 0
    for (let pieces = 0; ; pieces++) {
      const ask = await prepare()
      const way = ways[name]
      armed = { left: pieces, way, fallen: false }
      const answer = await ask()
      const { fallen } = armed
      armed = undefined
      way.restore()
      if (fallen) await until(healthy, Boolean)
      const text = await answer.text()
      if (answer.status === answered(what)) {
        if (!fallen) break
        continue
      }
      expect(answer.status, text).toBe(503)
      expect(JSON.parse(text)).toEqual({
        error: 'temporarily_unavailable',
        error_description: expect.stringMatching(/try again/),
      })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      const again = await ask()
      expect(again.status, `again after ${pieces} pieces: ${await again.text()}`).toBe(answered(what))
      refused++
    }
    // what is told there is in the records
    if (what !== WRONG || name === 'PostgreSQL') expect(refused).toBeGreaterThan(0)
  })
})
