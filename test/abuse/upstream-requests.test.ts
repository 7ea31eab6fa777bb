/** What we send to a provider and on whose word: the request, our own key, addresses that it gives. RFC 7636, 9126, 9207, 7523. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts'
import { POLICIES } from '../support/policies.ts'
import { anApp, appAddress, movableClock, stepOf } from './people.ts'

const clock = movableClock()
const CLIENT = 'portico'
const DISCOVERY = '/.well-known/openid-configuration'
let provider: HostileProvider
let gateway: Gateway
/** What the provider says about itself when nobody lies. */
let honest: Readonly<Record<string, unknown>>

/** Something on our own network that nobody outside may reach, not even by what a provider says. */
const reached: string[] = []
const inside = createServer((request, response) => {
  reached.push(request.url!)
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
})
let insideOrigin: string

beforeAll(async () => {
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.9', resolve))
  insideOrigin = `http://127.0.0.9:${(inside.address() as AddressInfo).port}`
  provider = await startHostileProvider()
  honest = (await (await fetch(`${provider.issuer}${DISCOVERY}`)).json()) as typeof honest
  const one = (id: string, more: object = {}) => ({
    ...{ id, kind: 'oidc', issuer: provider.issuer, userinfo: false, newcomers: 'create' },
    ...{ client_id: CLIENT, client_secret: 'a secret that both of us know well' },
    ...more,
  })
  gateway = await startGateway({
    clock,
    policies: {
      ...POLICIES,
      'two.yaml': 'policy: two\nrules:\n  - { name: two, allow: { strength: two-factors, within: 90m } }\n',
      'mixed.yaml': `policy: mixed
rules:
  - { name: staff, when: { user.groups: [staff] }, allow: { strength: two-factors } }
  - { name: others, allow: {} }
`,
    },
    apps: [anApp('web', 'plain'), anApp('two', 'two'), anApp('mixed', 'mixed')] as never,
    settings: {
      outbound: { allow: ['127.0.0.1/32'] },
      directories: [
        { id: 'local', kind: 'local' },
        one('partner', { step_up_acr: { 'two-factors': 'urn:mfa' } }),
        one('keyed', { client_secret: undefined, client_authentication: 'private_key_jwt' }),
        one('asks', { userinfo: true }),
        one('there', { step_up: 'there', step_up_acr: { 'two-factors': 'urn:mfa' }, groups: { everybody: ['staff'] } }),
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await provider?.end()
  inside.closeAllConnections()
  inside.close()
})
beforeEach(() => {
  provider.answers = {}
})

/** What the provider says about itself from now on. */
const says = (more: object) => {
  provider.answers[DISCOVERY] = { ...honest, ...more }
  // what was found out before is too old
  clock.at += 3_700_000
}
const away = async (address: string) => {
  const browser = createBrowser({ stopAt: `${provider.issuer}/authorize` })
  const page = await browser.open(address)
  return { browser, page, asked: Object.fromEntries(page.url.searchParams) as Record<string, string> }
}
const toProvider = (directory = 'partner') => away(`${gateway.issuer}/signin?idp=${directory}`)
const idToken = (nonce: string, more: object = {}) => {
  const now = Math.floor(clock.now() / 1000)
  return provider.sign({ iss: provider.issuer, aud: CLIENT, sub: 'abc', nonce, iat: now, exp: now + 300, ...more })
}
const giveToken = async (nonce: string) => {
  provider.answers['/token'] = { access_token: 'x', token_type: 'Bearer', id_token: await idToken(nonce) }
}

describe('a request', () => {
  test('has a state, a nonce and a challenge of its own, and the verifier comes with the code only', async () => {
    says({})
    const [first, second] = [await toProvider(), await toProvider()]
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(first.asked[name]!.length, name).toBeGreaterThanOrEqual(22)
      expect(first.asked[name]).not.toBe(second.asked[name])
    }
    const back = `${gateway.issuer}/signin/back/partner`
    expect(first.asked).toMatchObject({
      client_id: CLIENT,
      response_type: 'code',
      code_challenge_method: 'S256',
      redirect_uri: back,
      scope: 'openid profile email',
    })
    await giveToken(first.asked['nonce']!)
    const page = await first.browser.open(`${back}?code=the-code&state=${first.asked['state']}`)
    expect(page.status).toBe(200)
    const form = provider.formsAt('/token').at(-1)!
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: 'authorization_code',
      code: 'the-code',
      redirect_uri: back,
    })
    const challenge = createHash('sha256').update(form.get('code_verifier')!).digest('base64url')
    expect(challenge).toBe(first.asked['code_challenge'])
  })

  test('is pushed where the provider offers that, and the browser carries nothing of it', async () => {
    says({ pushed_authorization_request_endpoint: `${provider.issuer}/pushed` })
    provider.answers['/pushed'] = { request_uri: 'urn:of-the-provider', expires_in: 60 }
    const { asked } = await toProvider()
    expect(asked).toEqual({ client_id: CLIENT, request_uri: 'urn:of-the-provider' })
    expect(provider.formsAt('/pushed').at(-1)!.get('code_challenge_method')).toBe('S256')
  })

  test('asks for what is wanted: how fresh, how strong, anew, and for whom', async () => {
    says({})
    const at = (app: string, more: Record<string, string> = {}) =>
      away(appAddress(gateway, app, { idp: 'partner', ...more })).then(({ asked }) => asked)
    const plain = await at('web')
    expect(Object.keys(plain)).toEqual(expect.not.arrayContaining(['max_age', 'prompt', 'acr_values', 'login_hint']))
    expect(await at('two')).toMatchObject({ acr_values: 'urn:mfa' })
    expect((await at('two'))['prompt']).toBeUndefined()
    expect(await at('two', { max_age: '60' })).toMatchObject({ acr_values: 'urn:mfa', max_age: '60' })
    expect(await at('web', { prompt: 'login' })).toMatchObject({ max_age: '0', prompt: 'login' })
    expect(await at('web', { login_hint: 'ann@partner.example' })).toMatchObject({ login_hint: 'ann@partner.example' })
  })
})

test('we show who we are by a token of a minute for this provider, signed with a published key, and never the same twice', async () => {
  says({ pushed_authorization_request_endpoint: `${provider.issuer}/pushed` })
  provider.answers['/pushed'] = { request_uri: 'urn:x', expires_in: 60 }
  const { browser } = await toProvider('keyed')
  const pushed = provider.formsAt('/pushed').at(-1)!
  await giveToken(pushed.get('nonce')!)
  await browser.open(`${gateway.issuer}/signin/back/keyed?code=c&state=${pushed.get('state')}`)
  const forms = [pushed, provider.formsAt('/token').at(-1)!]
  const { keys } = (await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()) as { keys: { kid: string }[] }
  const ids = new Set<unknown>()
  for (const form of forms) {
    expect(form.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    expect(form.has('client_secret')).toBe(false)
    const token = form.get('client_assertion')!
    expect(keys.map(({ kid }) => kid)).toContain(decodeProtectedHeader(token).kid)
    const { iss, sub, aud, exp, jti } = decodeJwt(token)
    expect({ iss, sub, aud }).toEqual({ iss: CLIENT, sub: CLIENT, aud: provider.issuer })
    expect(exp! * 1000 - clock.now()).toBeLessThanOrEqual(60_000)
    ids.add(jti)
  }
  expect(ids.size).toBe(2)
})

describe('a provider that was asked for less than is needed of whoever comes', () => {
  const pushed = () => Object.fromEntries(provider.formsAt('/pushed').at(-1)!) as Record<string, string>
  const come = async () => {
    says({ pushed_authorization_request_endpoint: `${provider.issuer}/pushed` })
    provider.answers['/pushed'] = { request_uri: 'urn:x', expires_in: 60 }
    const { browser } = await away(appAddress(gateway, 'mixed', { idp: 'there' }))
    const { nonce, state, acr_values } = pushed()
    expect(acr_values).toBeUndefined()
    await giveToken(nonce!)
    return { browser, back: `${gateway.issuer}/signin/back/there?code=c&state=`, state: state! }
  }

  test('is asked for that once, whatever it answers', async () => {
    const { browser, back, state } = await come()
    expect((await browser.open(back + state)).url.origin).toBe(provider.issuer)
    const again = pushed()
    expect(again).toMatchObject({ acr_values: 'urn:mfa' })
    await giveToken(again['nonce']!)
    const page = await browser.open(back + again['state'])
    expect([page.url.origin, page.status]).toEqual([gateway.issuer, 200])
    expect(stepOf(page)).toBe('enrol-choice')
  })

  test('and cannot be asked now is not tried for ever', async () => {
    const { browser, back, state } = await come()
    provider.answers['/pushed'] = { error: 'temporarily_unavailable' }
    const page = await browser.open(back + state)
    expect([page.url.origin, page.status]).toEqual([gateway.issuer, 502])
    expect(stepOf(page)).toBe('enrol-choice')
  })
})

describe('a provider that names itself in each answer', () => {
  const come = async (more: string) => {
    says({ authorization_response_iss_parameter_supported: true })
    const { browser, asked } = await toProvider()
    await giveToken(asked['nonce']!)
    const page = await browser.open(`${gateway.issuer}/signin/back/partner?code=c&state=${asked['state']}${more}`)
    return page.status
  }

  test('is believed only where it does (RFC 9207 §2.4)', async () => {
    expect(await come(`&iss=${encodeURIComponent(provider.issuer)}`)).toBe(200)
    expect(await come('')).toBe(502)
    expect(await come(`&iss=${encodeURIComponent(`${provider.issuer}/`)}`)).toBe(502)
    expect(await come(`&iss=${encodeURIComponent('https://evil.example')}`)).toBe(502)
  })
})

describe('an address inside that a provider gives as its own is not asked:', () => {
  beforeEach(async () => {
    says({})
    clock.at += 60_000
    await gateway.server.look()
  })
  const lies = (path: string) => `${insideOrigin}/latest/${path}`

  test('for pushed requests', async () => {
    says({ pushed_authorization_request_endpoint: lies('push') })
    expect((await toProvider()).page.status).toBe(503)
    expect(reached).toEqual([])
  })

  test.each([
    ['for tokens', 'partner', { token_endpoint: 'token' }],
    ['for keys', 'partner', { jwks_uri: 'keys' }],
    ['for claims', 'asks', { userinfo_endpoint: 'userinfo' }],
  ])('%s', async (_, directory, endpoint) => {
    says(Object.fromEntries(Object.entries(endpoint).map(([name, path]) => [name, lies(path)])))
    const { browser, asked } = await toProvider(directory)
    await giveToken(asked['nonce']!)
    const page = await browser.open(`${gateway.issuer}/signin/back/${directory}?code=c&state=${asked['state']}`)
    expect(page.status).toBe(503)
    expect(page.text).not.toContain('127.0.0.9')
    expect(reached).toEqual([])
  })

  test('for keys, by a message about a sign-out', async () => {
    says({ jwks_uri: lies('keys') })
    const now = Math.floor(clock.now() / 1000)
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
    const token = await provider.sign({ iss: provider.issuer, aud: CLIENT, sub: 'abc', iat: now, jti: 'one', events })
    const answer = await fetch(`${gateway.issuer}/signin/back/partner/logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    })
    expect(answer.status).toBe(503)
    expect(reached).toEqual([])
  })
})

describe('a browser is not sent to what is no page of a provider:', () => {
  const NO_PAGES = [
    'javascript:alert(1)//',
    'data:text/html,x',
    'file:///etc/passwd',
    'http://evil.example/authorize',
    'x',
  ]

  // whether the addresses of before are still silent is looked at first
  beforeEach(async () => {
    says({})
    clock.at += 60_000
    await gateway.server.look()
  })

  test.each(NO_PAGES)('to sign in, %s', async (authorization_endpoint) => {
    says({ authorization_endpoint })
    const { page } = await toProvider()
    expect([page.status, page.url.origin]).toEqual([502, gateway.issuer])
  })

  test.each(NO_PAGES)('to sign out, %s', async (end_session_endpoint) => {
    says({ end_session_endpoint })
    const { browser, asked } = await toProvider()
    await giveToken(asked['nonce']!)
    await browser.open(`${gateway.issuer}/signin/back/partner?code=c&state=${asked['state']}`)
    const done = await browser.submit({
      action: new URL(`${gateway.issuer}/signout`),
      fields: new URLSearchParams({ answer: 'allow' }),
    })
    expect([done.status, done.url.origin]).toEqual([200, gateway.issuer])
    expect(done.url.pathname).toMatch(/^\/signed-out\//)
    expect(done.text).not.toContain('http-equiv="refresh"')
  })
})
