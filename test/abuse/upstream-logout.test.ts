/** Messages that say somebody has signed out at their provider, and do not come from it. Back-Channel Logout 1.0 §2.6, RFC 8725. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts'
import { POLICIES } from '../support/policies.ts'
import { anApp, appAddress, movableClock, post } from './people.ts'

const clock = movableClock()
const CLIENT = 'portico'
const SECRET = 'a secret that both of us know well'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const HOUR = 3_600_000
let provider: HostileProvider
let gateway: Gateway
/** An app of ours, and what it is told. */
const told: string[] = []
const app = createServer((request, response) => {
  let body = ''
  request.on('data', (data: Buffer) => {
    body += data
  })
  request.on('end', () => {
    told.push(new URLSearchParams(body).get('logout_token')!)
    response.end()
  })
})

beforeAll(async () => {
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const web = anApp('web', 'everybody')
  const backchannel_logout_uri = `http://127.0.0.1:${(app.address() as AddressInfo).port}/logout`
  provider = await startHostileProvider()
  gateway = await startGateway({
    clock,
    policies: { ...POLICIES, 'everybody.yaml': 'policy: everybody\nrules:\n  - { name: everybody, allow: {} }\n' },
    apps: [{ ...web, oidc: { ...web.oidc, backchannel_logout_uri } }] as never,
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        {
          ...{ id: 'partner', kind: 'oidc', issuer: provider.issuer, userinfo: false, newcomers: 'create' },
          ...{ client_id: CLIENT, client_secret: SECRET },
        },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await provider?.end()
  app.close()
})
beforeEach(() => {
  provider.answers = {}
})

const seconds = () => Math.floor(clock.now() / 1000)
let number = 0
const message = (more: object = {}) => ({
  ...{ iss: provider.issuer, aud: CLIENT, sub: 'abc', iat: seconds(), jti: `message ${++number}` },
  events: { [EVENT]: {} },
  ...more,
})
const tell = (token: string) =>
  post(createBrowser(), `${gateway.issuer}/signin/back/partner/logout`, { logout_token: token })
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const asked = (path: string) => provider.asked.filter((one) => one === path).length

async function signedIn(sid?: string, browser = createBrowser({ stopAt: `${provider.issuer}/authorize` })) {
  const { url } = await browser.open(`${gateway.issuer}/signin?idp=partner`)
  const [state, nonce] = [url.searchParams.get('state'), url.searchParams.get('nonce')]
  const claims = { iss: provider.issuer, aud: CLIENT, sub: 'abc', nonce, iat: seconds(), exp: seconds() + 300, sid }
  const id_token = await provider.sign(claims)
  provider.answers['/token'] = { access_token: 'x', token_type: 'Bearer', id_token }
  expect((await browser.open(`${gateway.issuer}/signin/back/partner?code=c&state=${state}`)).status).toBe(200)
  return id_token
}
const sessions = async () => {
  let count = 0
  for await (const _ of gateway.server.house.sessions.all()) count++
  return count
}

test('a message of the provider ends the sessions of its subject, or the one that it names', async () => {
  await signedIn('one')
  await signedIn('two')
  const before = await sessions()
  expect((await tell(await provider.sign(message({ sid: 'one' })))).status).toBe(200)
  expect(await sessions()).toBe(before - 1)
  expect((await tell(await provider.sign(message()))).status).toBe(200)
  expect(await sessions()).toBe(0)
})

test('a message of the provider reaches the apps that were opened here', async () => {
  const browser = createBrowser({ stopAt: `${provider.issuer}/authorize` })
  await signedIn('one', browser)
  const asked = await fetch(appAddress(gateway, 'web'), {
    redirect: 'manual',
    headers: { cookie: [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ') },
  })
  expect(asked.headers.get('location')).toContain('code=')
  expect((await tell(await provider.sign(message({ sid: 'one' })))).status).toBe(200)
  await gateway.server.tick()
  // the clockwork may be delivering it at this very moment
  await expect.poll(() => told.map((token) => decodeJwt(token).aud)).toEqual(['web'])
})

test('a message counts once: told again it ends nothing of what began since', async () => {
  const token = await provider.sign(message())
  expect((await tell(token)).status).toBe(200)
  await signedIn()
  expect((await tell(token)).status).toBe(200)
  expect(await sessions()).toBe(1)
})

type Lie = () => Promise<string> | string
const LIES: Record<string, Lie> = {
  'another issuer': () => provider.sign(message({ iss: 'https://evil.example' })),
  'the issuer with a slash more': () => provider.sign(message({ iss: `${provider.issuer}/` })),
  'for another client': () => provider.sign(message({ aud: 'another' })),
  'for nobody': () => provider.sign(message({ aud: undefined })),
  'an ID Token': () => signedIn(),
  'with a nonce': () => provider.sign(message({ nonce: 'n' })),
  'without an event': () => provider.sign(message({ events: undefined })),
  'another event': () =>
    provider.sign(message({ events: { 'https://schemas.openid.net/secevent/risc/event-type/x': {} } })),
  'an event that is a text': () => provider.sign(message({ events: EVENT })),
  'about nobody': () => provider.sign(message({ sub: undefined })),
  'about a number': () => provider.sign(message({ sub: 7 })),
  'without an id of its own': () => provider.sign(message({ jti: undefined })),
  'without a time': () => provider.sign(message({ iat: undefined })),
  'of an hour ago': () => provider.sign(message({ iat: seconds() - 3600 })),
  'of tomorrow': () => provider.sign(message({ iat: seconds() + 86_400 })),
  'that has expired': () => provider.sign(message({ exp: seconds() - 60 })),
  'without a signature': () => `${part({ alg: 'none' })}.${part(message())}.`,
  'without a signature, in capitals': () => `${part({ alg: 'NONE' })}.${part(message())}.AA`,
  'the public key as a shared secret': () => hmac(JSON.stringify(provider.publicJwk)),
  'the client secret as key': () => hmac(SECRET),
  'a key that the provider does not have': () => provider.signOther(message()),
  'a key that it brings along': async () => {
    const other = await startHostileProvider()
    const token = await other.sign(message(), { kid: 'theirs', jwk: other.publicJwk })
    await other.end()
    return token
  },
  'claims that were changed afterwards': async () => {
    const [header, , signature] = (await provider.sign(message({ sub: 'nobody' }))).split('.')
    return `${header}.${part(message())}.${signature}`
  },
  'spelled another way': async () => {
    const token = await provider.sign(message())
    return `${token.slice(0, -1)}${String.fromCharCode(token.charCodeAt(token.length - 1) + 1)}`
  },
  'with a padding': async () => `${await provider.sign(message())}==`,
  'with a part more': async () => `${await provider.sign(message())}.AA`,
  'no JSON': () => `${part({ alg: 'RS256', kid: 'one' })}.${Buffer.from('x').toString('base64url')}.AA`,
  'no token': () => 'x',
  'a list of claims': () => `${part({ alg: 'RS256', kid: 'one' })}.${part([message()])}.AA`,
}
const hmac = (key: string) => {
  const input = `${part({ alg: 'HS256', kid: 'one' })}.${part(message())}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}

test.each(Object.entries(LIES))('a message that lies ends nothing: %s', async (_, lie) => {
  const token = await lie()
  if ((await sessions()) === 0) await signedIn()
  const before = await sessions()
  const answer = await tell(token)
  expect([answer.status, JSON.parse(answer.text)]).toEqual([400, { error: 'invalid_request' }])
  expect(await sessions()).toBe(before)
})

/** Nothing is known of the provider's keys any more. */
const cold = () => {
  clock.at += 2 * HOUR
}

test('what is plainly none has no key fetched for it', async () => {
  cold()
  const before = asked('/keys')
  for (const name of [
    'another issuer',
    'for another client',
    'an event that is a text',
    'with a nonce',
    'about nobody',
    'without a signature',
    'the client secret as key',
    'spelled another way',
    'with a padding',
    'with a part more',
    'no JSON',
    'no token',
  ])
    expect((await tell(await LIES[name]!())).status, name).toBe(400)
  expect(asked('/keys')).toBe(before)
})

test('messages that come at once while no key is known share one look', async () => {
  cold()
  const before = asked('/keys')
  const tokens = await Promise.all(Array.from({ length: 20 }, () => provider.sign(message())))
  const answers = await Promise.all(tokens.map(tell))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(asked('/keys') - before).toBe(1)
})

test('made-up key ids have the keys looked for once in a while, not each time', async () => {
  cold()
  expect((await tell(await provider.sign(message()))).status).toBe(200)
  clock.at += 31_000
  const before = asked('/keys')
  const tokens = await Promise.all(
    Array.from({ length: 10 }, (_, i) => provider.sign(message(), { kid: `made up ${i}` })),
  )
  expect((await Promise.all(tokens.map(tell))).map(({ status }) => status)).toEqual(Array(10).fill(400))
  expect(asked('/keys') - before).toBe(1)
  // those of the provider go on being read by the key that is known
  expect((await tell(await provider.sign(message()))).status).toBe(200)
  clock.at += 31_000
  await tell(await provider.sign(message(), { kid: 'made up again' }))
  expect(asked('/keys') - before).toBe(2)
})

test('keys that cannot be had are not asked for with each message, and the provider is told to come again', async () => {
  cold()
  provider.answers['/keys'] = 'no keys'
  const before = asked('/keys')
  const tokens = await Promise.all(Array.from({ length: 10 }, () => provider.sign(message())))
  const answers = await Promise.all(tokens.slice(1).map(tell))
  expect(answers.map(({ status }) => status)).toEqual(Array(9).fill(503))
  expect((await tell(tokens[0]!)).status).toBe(503)
  expect(asked('/keys') - before).toBe(1)
  provider.answers = {}
  clock.at += 5_000
  expect((await tell(tokens[0]!)).status).toBe(200)
})
