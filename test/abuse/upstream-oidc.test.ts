/** A provider that lies, and those who stand between. OpenID Connect Core §3.1.3.7, RFC 9207, RFC 6749 §10.12. */
import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts'
import { POLICIES } from '../support/policies.ts'
import { movableClock, post } from './people.ts'

const clock = movableClock()
const CLIENT = 'portico'
const SECRET = 'a secret that both of us know well'
let provider: HostileProvider
let gateway: Gateway

beforeAll(async () => {
  provider = await startHostileProvider()
  const one = (id: string, more: object = {}) => ({
    id,
    kind: 'oidc',
    issuer: provider.issuer,
    client_id: CLIENT,
    client_secret: SECRET,
    newcomers: 'create',
    ...more,
  })
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        one('liar', { userinfo: false }),
        one('twin', { userinfo: false }),
        one('asks', { domains: ['asks.example'] }),
        one('signed', { userinfo_alg: 'RS256' }),
        one('elsewhere', { issuer: `${provider.issuer}/elsewhere` }),
      ],
    },
  })
})
afterAll(async () => {
  await gateway.close()
  await provider.end()
})
beforeEach(() => {
  provider.answers = {}
})

/** The browser on its way there, and what it carries. */
async function onTheWay(directory = 'liar') {
  const browser = createBrowser({ stopAt: `${provider.issuer}/authorize` })
  const { url } = await browser.open(`${gateway.issuer}/signin?idp=${directory}`)
  const parameters = Object.fromEntries(url.searchParams) as { state: string; nonce: string }
  return { browser, ...parameters, back: `${gateway.issuer}/signin/back/${directory}` }
}

const claims = (nonce: string, more: object = {}) => {
  const now = Math.floor(clock.now() / 1000)
  return { iss: provider.issuer, aud: CLIENT, sub: 'abc', nonce, iat: now, exp: now + 300, auth_time: now, ...more }
}
const tokens = (id_token: string | undefined) => ({
  access_token: 'x',
  token_type: 'Bearer',
  ...(id_token === undefined ? {} : { id_token }),
})
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const hmac = (header: object, body: object, key: string) => {
  const input = `${part(header)}.${part(body)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}
const sessions = async () => {
  let count = 0
  for await (const _ of gateway.server.house.sessions.all()) count++
  return count
}

test('who answers as asked comes in', async () => {
  const before = await sessions()
  const { browser, state, nonce, back } = await onTheWay()
  provider.answers['/token'] = tokens(await provider.sign(claims(nonce)))
  const page = await browser.open(`${back}?code=c&state=${state}`)
  expect(page.status).toBe(200)
  expect(await sessions()).toBe(before + 1)
})

type Lie = (nonce: string) => Promise<unknown> | unknown
const LIES: Record<string, Lie> = {
  'another issuer': async (nonce) => tokens(await provider.sign(claims(nonce, { iss: 'https://evil.example' }))),
  'the issuer with a slash more': async (nonce) =>
    tokens(await provider.sign(claims(nonce, { iss: `${provider.issuer}/` }))),
  'for somebody else': async (nonce) => tokens(await provider.sign(claims(nonce, { aud: 'another-client' }))),
  'for several, and another one is authorized': async (nonce) =>
    tokens(await provider.sign(claims(nonce, { aud: [CLIENT, 'another'], azp: 'another' }))),
  'the nonce of another request': async () => tokens(await provider.sign(claims('another-nonce'))),
  'no nonce': async (nonce) => tokens(await provider.sign({ ...claims(nonce), nonce: undefined })),
  'a nonce that is a list': async (nonce) => tokens(await provider.sign(claims(nonce, { nonce: [nonce] }))),
  'no signature': (nonce) => tokens(`${part({ alg: 'none' })}.${part(claims(nonce))}.`),
  'no signature, in capitals': (nonce) => tokens(`${part({ alg: 'NONE' })}.${part(claims(nonce))}.`),
  'the public key as a shared secret': (nonce) =>
    tokens(hmac({ alg: 'HS256', kid: 'one' }, claims(nonce), JSON.stringify(provider.publicJwk))),
  'the client secret as key': (nonce) => tokens(hmac({ alg: 'HS256' }, claims(nonce), SECRET)),
  'a key that it does not have': async (nonce) => tokens(await provider.signOther(claims(nonce))),
  'a key that the token brings along': async (nonce) => {
    const other = await startHostileProvider()
    const token = await other.sign(claims(nonce), { kid: 'theirs', jwk: other.publicJwk })
    await other.end()
    return tokens(token)
  },
  'a key at an address that the token names': async (nonce) => {
    const other = await startHostileProvider()
    const token = await other.sign(claims(nonce), { kid: 'theirs', jku: `${other.issuer}/keys` })
    await other.end()
    return tokens(token)
  },
  'a critical header that nobody knows': async (nonce) => {
    const [, body, signature] = (await provider.sign(claims(nonce))).split('.')
    return tokens(`${part({ alg: 'RS256', kid: 'one', crit: ['x'], x: 1 })}.${body}.${signature}`)
  },
  'claims that were changed afterwards': async (nonce) => {
    const [header, , signature] = (await provider.sign(claims(nonce))).split('.')
    return tokens(`${header}.${part(claims(nonce, { sub: 'somebody else' }))}.${signature}`)
  },
  'long ago': async (nonce) => tokens(await provider.sign(claims(nonce, { exp: Math.floor(clock.now() / 1000) - 60 }))),
  'without an end': async (nonce) => tokens(await provider.sign({ ...claims(nonce), exp: undefined })),
  'not valid yet': async (nonce) =>
    tokens(await provider.sign(claims(nonce, { nbf: Math.floor(clock.now() / 1000) + 600 }))),
  'without a subject': async (nonce) => tokens(await provider.sign({ ...claims(nonce), sub: undefined })),
  'an empty subject': async (nonce) => tokens(await provider.sign(claims(nonce, { sub: '' }))),
  'a subject with a line break': async (nonce) => tokens(await provider.sign(claims(nonce, { sub: 'a\nb' }))),
  'a subject that is a number': async (nonce) => tokens(await provider.sign(claims(nonce, { sub: 7 }))),
  'no ID Token': () => tokens(undefined),
  'an ID Token that is none': () => tokens('abc'),
  'a sign-in time that is a text': async (nonce) => tokens(await provider.sign(claims(nonce, { auth_time: 'now' }))),
  'a page instead of tokens': () => 'not json',
  'an error': () => ({ error: 'server_error' }),
  'more than anybody reads': () => ({ ...tokens('x'), more: 'x'.repeat(400_000) }),
}

describe('an answer that says something else lets nobody in, and tells the person a reference and the operator the cause:', () => {
  test.each(Object.entries(LIES))('%s', async (_, lie) => {
    const before = await sessions()
    const { browser, state, nonce, back } = await onTheWay()
    provider.answers['/token'] = await lie(nonce)
    const page = await browser.open(`${back}?code=c&state=${state}`)
    expect(page.url.pathname).toMatch(/^\/signin\/[\w-]+$/)
    expect([502, 503]).toContain(page.status)
    const reference = /class="letters"[^>]*>(E-[0-9A-Z]{4}-[0-9A-Z]{4})</.exec(page.text)?.[1]
    expect(reference).toBeDefined()
    const said = page.text.slice(page.text.indexOf('<main'), page.text.indexOf('</main'))
    expect(said).not.toMatch(/JWT|evil|claim|ID Token|OAuth|127\.0\.0\.1/)
    const line = gateway
      .log()
      .split('\n')
      .find((one) => one.includes(reference!))
    expect(line).toContain('"upstream-refused"')
    expect(JSON.parse(line!)).toMatchObject({ directory: 'liar' })
    expect(JSON.parse(line!).detail).toMatch(/liar: /)
    expect(await sessions()).toBe(before)
    // and the same page lets them try another way
    expect(page.text).toContain('name="username"')
  })
})

describe('whose answer it is', () => {
  const answered = async (directory = 'liar') => {
    const way = await onTheWay(directory)
    provider.answers['/token'] = tokens(await provider.sign(claims(way.nonce)))
    return way
  }

  test('an answer counts once', async () => {
    const { browser, state, back } = await answered()
    await browser.open(`${back}?code=c&state=${state}`)
    const before = await sessions()
    expect((await browser.open(`${back}?code=c&state=${state}`)).status).toBe(400)
    expect(await sessions()).toBe(before)
  })

  test('of fifty at once one', async () => {
    const { browser, state, back } = await answered()
    const before = await sessions()
    const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        fetch(`${back}?code=c&state=${state}`, { redirect: 'manual', headers: { cookie } }),
      ),
    )
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await sessions()).toBe(before + 1)
  })

  test('somebody else who is made to open it is not signed in by it', async () => {
    const { state, back } = await answered()
    const before = await sessions()
    const victim = createBrowser()
    await victim.open(`${gateway.issuer}/signin`)
    expect((await victim.open(`${back}?code=c&state=${state}`)).status).toBe(400)
    expect(await sessions()).toBe(before)
  })

  test('nobody signs in who is made to post an answer', async () => {
    const { state, back, browser } = await answered()
    const before = await sessions()
    const sent = await post(
      createBrowser(),
      back,
      { RelayState: state, SAMLResponse: 'x' },
      { 'sec-fetch-site': 'cross-site' },
    )
    expect(sent.status).toBe(405)
    expect(await sessions()).toBe(before)
    expect((await post(browser, back, { RelayState: 'x'.repeat(30) })).status).toBe(400)
  })

  test('an answer to nothing that was asked is none', async () => {
    const { browser, back } = await answered()
    for (const query of [
      '',
      '?code=c',
      '?code=c&state=',
      `?code=c&state=${'a'.repeat(43)}`,
      `?code=c&state=${'a'.repeat(5000)}`,
      '?state[]=x&code=c',
    ])
      expect((await browser.open(`${back}${query}`)).status, query).toBe(400)
    expect(provider.asked.filter((path) => path === '/token').length).toBeLessThan(1000)
  })

  test('an answer too late is none', async () => {
    const { browser, state, back } = await answered()
    clock.at += 31 * 60_000
    expect((await browser.open(`${back}?code=c&state=${state}`)).status).toBe(400)
  })

  test('the answer of one provider is not taken for that of another', async () => {
    const { browser, state } = await answered()
    const before = await sessions()
    const page = await browser.open(`${gateway.issuer}/signin/back/twin?code=c&state=${state}`)
    expect(page.status).toBe(502)
    expect(await sessions()).toBe(before)
  })

  test('an answer that names another issuer is refused', async () => {
    const { browser, state, back } = await answered()
    const before = await sessions()
    const page = await browser.open(`${back}?code=c&state=${state}&iss=${encodeURIComponent('https://evil.example')}`)
    expect(page.status).toBe(502)
    expect(await sessions()).toBe(before)
  })

  test('a provider that says no is said no to', async () => {
    const { browser, state, back } = await answered()
    expect((await browser.open(`${back}?error=access_denied&state=${state}`)).status).toBe(502)
  })
})

describe('userinfo', () => {
  const come = async (directory: string, userinfo: unknown) => {
    const { browser, state, nonce, back } = await onTheWay(directory)
    provider.answers['/token'] = tokens(await provider.sign(claims(nonce, { sub: 'info' })))
    provider.answers['/userinfo'] = userinfo
    return browser.open(`${back}?code=c&state=${state}`)
  }

  test.each<[string, object, object, boolean]>([
    ['both in the ID Token', { email: 'a@asks.example', email_verified: true }, {}, true],
    ['both in userinfo', {}, { email: 'b@asks.example', email_verified: true }, true],
    ['the same in both', { email: 'c@asks.example' }, { email: 'c@asks.example', email_verified: true }, true],
    ['another in userinfo', { email: 'd@asks.example' }, { email: 'own@asks.example', email_verified: true }, false],
    ['none in the ID Token', { email_verified: true }, { email: 'e@asks.example' }, false],
    [
      'no longer verified',
      { email: 'f@asks.example', email_verified: false },
      { email: 'f@asks.example', email_verified: true },
      false,
    ],
  ])('says that the address beside it is verified, and no other: %s', async (what, idToken, userinfo, verified) => {
    const sub = what.replaceAll(' ', '-')
    const { browser, state, nonce, back } = await onTheWay('asks')
    provider.answers['/token'] = tokens(await provider.sign(claims(nonce, { sub, name: what, ...idToken })))
    provider.answers['/userinfo'] = { sub, ...userinfo }
    await browser.open(`${back}?code=c&state=${state}`)
    const people = await gateway.server.house.people.list({ directory: 'asks' })
    const { mail } = { ...userinfo, ...idToken } as { mail?: string }
    const found = people.find(({ name }) => name === what)
    expect([found !== undefined, mail, found?.mailVerified]).toEqual([true, mail, verified])
    await gateway.server.house.people.remove(found!.id, 'cli')
  })

  test('of somebody else is refused', async () => {
    expect((await come('asks', { sub: 'another', name: 'X' })).status).toBe(502)
    expect((await come('asks', { sub: 'info', name: 'Ina Info' })).status).toBe(200)
    expect((await gateway.server.house.people.list({ directory: 'asks' })).map(({ name }) => name)).toEqual([
      'Ina Info',
    ])
  })

  test('without a signature is refused where it is to be signed', async () => {
    const said = { iss: provider.issuer, aud: CLIENT, sub: 'info', name: 'Ina Info' }
    expect((await come('signed', said)).status).toBe(502)
    expect((await come('signed', `${part({ alg: 'none' })}.${part(said)}.`)).status).toBe(502)
    expect((await come('signed', await provider.signOther(said))).status).toBe(502)
    expect((await come('signed', await provider.sign({ ...said, aud: 'x' }))).status).toBe(502)
    expect((await come('signed', await provider.sign(said))).status).toBe(200)
  })
})

describe('discovery', () => {
  const at = '/elsewhere/.well-known/openid-configuration'
  const go = async () => {
    clock.at += 3_700_000
    return createBrowser({ stopAt: 'http://10.0.0.1' }).open(`${gateway.issuer}/signin?idp=elsewhere`)
  }

  test('of a provider that calls itself otherwise is refused', async () => {
    provider.answers[at] = { issuer: provider.issuer, authorization_endpoint: `${provider.issuer}/authorize` }
    expect((await go()).status).toBe(503)
  })

  test('that leads inside reaches nothing there', async () => {
    const issuer = `${provider.issuer}/elsewhere`
    const inside = 'http://10.0.0.1/latest/meta-data'
    provider.answers[at] = {
      issuer,
      authorization_endpoint: `${provider.issuer}/authorize`,
      token_endpoint: inside,
      jwks_uri: inside,
      pushed_authorization_request_endpoint: inside,
    }
    const page = await go()
    expect(page.status).toBe(503)
    expect(page.text).not.toContain('10.0.0.1')
  })

  test('is asked by nobody who comes, however many, where it gave no answer; the clockwork asks now and then', async () => {
    const count = () => provider.asked.filter((path) => path === at).length
    await go()
    await gateway.server.look()
    const first = count()
    const again = () => createBrowser({ stopAt: 'http://10.0.0.1' }).open(`${gateway.issuer}/signin?idp=elsewhere`)
    for (let i = 0; i < 5; i++) expect((await again()).status).toBe(503)
    expect(count()).toBe(first)
    clock.at += 76_000
    await gateway.server.look()
    for (let i = 0; i < 5; i++) expect((await again()).status).toBe(503)
    expect(count()).toBe(first + 1)
  })

  test('that is not there, is no JSON or too large', async () => {
    expect((await go()).status).toBe(503)
    provider.answers[at] = 'x'
    expect((await go()).status).toBe(503)
    provider.answers[at] = { issuer: `${provider.issuer}/elsewhere`, more: 'x'.repeat(400_000) }
    expect((await go()).status).toBe(503)
  })
})
