/** A refresh that Redis has not confirmed to a replica: it is refused, and the refresh token, which is in the records, is as good as before. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anApp, appAddress, browserAt, PROXIED } from '../abuse/people.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type RedisGroup, startSentinel, until } from '../support/redis.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'

let group: RedisGroup
let gateway: Gateway
beforeAll(async () => {
  // a replica that stands still is not taken for one that is down
  group = await startSentinel({ replicas: 1, down: 60_000 })
  gateway = await startGateway({
    settings: { ...PROXIED, state: { url: group.url, sentinel_password: 'watch' } },
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      anApp('shop', 'plain', {
        oidc: {
          ...{ redirect_uris: [CALLBACK], scopes: ['openid'], pkce: 'optional' },
          grant_types: ['authorization_code', 'refresh_token'],
        },
      }),
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  await group?.end()
})

async function token(fields: Record<string, string>) {
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`shop:${gateway.secrets.get('shop')}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, string> }
}

test('comes again when the replica is back, and gets its tokens', async () => {
  const browser = browserAt()
  const page = await typePassword(browser, await browser.open(appAddress(gateway, 'shop')), 'sam')
  const code = page.url.searchParams.get('code')!
  const { body } = await token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
  const refresh = { grant_type: 'refresh_token', refresh_token: body['refresh_token']! }
  const replica = group.servers.find((server) => server !== group.servers[0])!
  replica.freeze()
  try {
    const refused = await token(refresh)
    expect([refused.status, refused.body['error']]).toEqual([503, 'temporarily_unavailable'])
  } finally {
    replica.continue()
  }
  const write = () => gateway.server.house.storage.state.set('asked', '1').then(() => true)
  await until(write, Boolean)
  const given = await token(refresh)
  expect([given.status, given.body['error']]).toEqual([200, undefined])
  expect(given.body['refresh_token']).not.toBe(body['refresh_token'])
})
