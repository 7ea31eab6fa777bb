/** The commonest mistakes of apps that speak OpenID Connect, made by apps: each has its cause, its fix, and a plain page. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf, type Page } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { failuresOf, REFERENCE, referenceOn } from '../support/failures.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, CALLBACK, relyingParty, signIn, typePassword } from '../support/relying-party.ts'

const GRAFANA = 'https://grafana.example.com/login/generic_oauth'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwks = { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'k1' }] }
const SIGNED = ['openid', 'profile', 'email']

const app = (id: string, more: object = {}) => ({
  id,
  name: `App ${id}`,
  policy: 'plain',
  audience: ['staff'],
  oidc: { redirect_uris: [CALLBACK], scopes: SIGNED, ...more },
})
const keyed = (id: string) => app(id, { token_endpoint_auth_method: 'private_key_jwt', jwks })

let gateway: Gateway
const clock = movableClock()
const { portico, last, all, logged } = failuresOf(() => gateway, clock)
const browserOf = () => createBrowser({ stopAt: CALLBACK })

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam de Vries', groups: ['staff'] }],
    apps: [
      {
        id: 'grafana',
        template: 'grafana',
        inputs: { base_url: 'https://grafana.example.com' },
        policy: 'plain',
        audience: ['staff'],
      },
      ...['slash', 'other', 'secret', 'blanks', 'silent', 'twice', 'pkce', 'plain', 'verifier', 'moved', 'mended'].map(
        (id) => app(id),
      ),
      ...['cookies', 'resumed', 'loop', 'lost', 'tabs', 'grant', 'words', 'response', 'tokens', 'quick'].map((id) =>
        app(id),
      ),
      app('public', { token_endpoint_auth_method: 'none' }),
      app('wants-groups', { scopes: [...SIGNED, 'groups'] }),
      app('no-groups'),
      app('leaving', { post_logout_redirect_uris: ['https://app.example.com/bye'] }),
      ...['late', 'early', 'audience', 'signed'].map(keyed),
      { id: 'api', template: 'machine', policy: 'plain' },
    ] as never,
  })
})
afterAll(() => gateway.close())

/** The page that somebody sees. */
const ask = (parameters: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(
    `${gateway.issuer}/oauth2/auth?${new URLSearchParams({ response_type: 'code', scope: 'openid', ...parameters })}`,
    {
      redirect: 'manual',
      headers: { accept: 'text/html', ...headers },
    },
  )

/** A request to the token endpoint, as apps send it. */
const exchange = async (body: Record<string, string>, headers: Record<string, string> = {}, path = 'token') => {
  const response = await fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    body: new URLSearchParams(body),
    headers,
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}
const basic = (id: string, secret = gateway.secrets.get(id)!) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` })

/** A code that belongs to the app, and what is needed to redeem it. */
async function codeFor(id: string) {
  const party = await relyingParty(gateway, id)
  const begun = await party.begin({ scope: SIGNED.join(' ') })
  const browser = browserOf()
  const back = await typePassword(browser, await browser.open(begun.url.href), 'sam')
  return {
    grant_type: 'authorization_code',
    code: back.url.searchParams.get('code')!,
    redirect_uri: CALLBACK,
    code_verifier: begun.verifier,
  }
}

/** What every one of them has in common: the log has it, `apps show` has it, and one command finds it by its reference. */
async function diagnosed(id: string, cause: string): Promise<Awaited<ReturnType<typeof last>>> {
  const failure = await last(id, cause)
  expect(logged(id)).toContainEqual(
    expect.objectContaining({ event: 'app-failing', app: id, cause, reference: failure.reference, level: 'warn' }),
  )
  const { out } = await portico('apps', 'show', id)
  for (const line of [failure.said, ...failure.fix, failure.reference]) expect(out).toContain(line)
  expect(out).toContain(failure.likely ? `likely ${cause}` : `  ${cause}`)
  const explained = await portico(
    'policy',
    'explain',
    '--receipt',
    failure.reference.toLowerCase().replaceAll('-', ' '),
  )
  expect(explained.code).toBe(0)
  expect(explained.out).toContain(failure.said)
  expect(explained.out).toContain(`fix: ${failure.fix[0]}`)
  const found = await portico('audit', 'search', '--receipt', failure.reference)
  expect(found.out).toContain(`app=${id}`)
  for (const line of [failure.said, ...failure.fix]) expect(line).not.toMatch(/undefined|NaN|\[object/)
  return failure
}

describe('the redirect URI', () => {
  test('http where https is registered', async () => {
    const page = await (await ask({ client_id: 'grafana', redirect_uri: GRAFANA.replace('https', 'http') })).text()
    const failure = await diagnosed('grafana', 'redirect-uri-scheme')
    expect(failure.reference).toBe(referenceOn(page))
    expect(failure.said).toBe(
      `The app asks for http, registered is https: redirect_uri is \`${GRAFANA.replace('https', 'http')}\` instead of \`${GRAFANA}\`.`,
    )
    expect(failure.fix).toEqual([
      `in the app: set its public address to https://grafana.example.com, so that it asks for ${GRAFANA}`,
      'in the proxy before the app, where it does TLS: pass `X-Forwarded-Proto: https` on to the app',
      expect.stringMatching(/^portico apps snippet grafana --for env /),
    ])
    expect(failure.likely).toBe(false)
    // the setting that the template knows for it stands in the command's answer
    expect((await portico('apps', 'snippet', 'grafana', '--for', 'env')).out).toContain(
      'GF_SERVER_ROOT_URL=https://grafana.example.com',
    )
  })

  test('a slash at the end', async () => {
    await ask({ client_id: 'slash', redirect_uri: `${CALLBACK}/` })
    const failure = await diagnosed('slash', 'redirect-uri-slash')
    expect(failure.said).toContain(`has a slash at its end: \`${CALLBACK}/\` instead of \`${CALLBACK}\``)
    expect(failure.fix[0]).toBe(`in the app: set redirect_uri to ${CALLBACK}`)
  })

  test('another path on the same host may be registered instead; one of another host is never proposed', async () => {
    await ask({ client_id: 'other', redirect_uri: 'http://localhost:9/elsewhere' })
    const near = await diagnosed('other', 'redirect-uri-wrong')
    expect(near.fix[0]).toBe(`in the app: set redirect_uri to ${CALLBACK}`)
    expect(near.fix.join()).toContain('portico apps apply other.yaml')

    await ask({ client_id: 'other', redirect_uri: 'https://evil.example/callback' })
    const far = await last('other', 'redirect-uri-wrong')
    expect(far).toMatchObject({
      count: 2,
      reference: near.reference,
      said: expect.stringContaining('`https://evil.example/callback`'),
    })
    expect(far.fix.join()).not.toMatch(/evil|apply/)
  })

  test('another one at the exchange of the code', async () => {
    const answer = await exchange(
      { ...(await codeFor('moved')), redirect_uri: 'http://localhost:9/other' },
      basic('moved'),
    )
    expect(answer.body['error']).toBe('invalid_grant')
    await diagnosed('moved', 'redirect-uri-changed')
  })

  test('where the browser should go after a sign-out', async () => {
    const query = new URLSearchParams({ client_id: 'leaving', post_logout_redirect_uri: 'http://app.example.com/bye' })
    const page = await (
      await fetch(`${gateway.issuer}/oauth2/session/end?${query}`, { headers: { accept: 'text/html' } })
    ).text()
    const failure = await diagnosed('leaving', 'redirect-uri-scheme')
    expect(page).toContain(failure.reference)
    expect(failure.said).toContain('post_logout_redirect_uri is `http://app.example.com/bye`')
  })
})

describe('how the app shows who it is', () => {
  test('a wrong secret', async () => {
    const party = await relyingParty(gateway, 'secret')
    const wrong = await oidc.discovery(new URL(gateway.issuer), 'secret', 'an old secret', undefined, {
      execute: [oidc.allowInsecureRequests],
    })
    const begun = await party.begin({ scope: SIGNED.join(' ') })
    const browser = browserOf()
    const back = await typePassword(browser, await browser.open(begun.url.href), 'sam')
    const refused = await oidc
      .authorizationCodeGrant(wrong, back.url, {
        pkceCodeVerifier: begun.verifier,
        expectedState: begun.state,
        expectedNonce: begun.nonce,
      })
      .catch((error) => error)
    const failure = await diagnosed('secret', 'client-secret-wrong')
    // what the app logs leads to it
    expect(refused).toMatchObject({
      error: 'invalid_client',
      error_description: expect.stringContaining(failure.reference),
    })
    expect(failure.fix[1]).toMatch(/^portico apps rotate-secret secret /)
    expect(gateway.log()).not.toContain('an old secret')
    expect(JSON.stringify(failure)).not.toContain('an old secret')
  })

  test('the right secret with the end of a line behind it', async () => {
    await exchange({
      grant_type: 'authorization_code',
      client_id: 'blanks',
      client_secret: `${gateway.secrets.get('blanks')}\n`,
    })
    const failure = await diagnosed('blanks', 'client-secret-wrong')
    expect(failure.said).toContain('with blanks or the end of a line around it')
    expect(JSON.stringify(failure) + gateway.log()).not.toContain(gateway.secrets.get('blanks'))
  })

  test('no secret where one is registered', async () => {
    await exchange({ grant_type: 'authorization_code', client_id: 'silent', code: 'x' })
    const failure = await diagnosed('silent', 'auth-method-wrong')
    expect(failure.said).toBe('The app does not authenticate at the token endpoint; registered is client_secret_basic.')
    expect(failure.fix[0]).toContain('client_secret_basic (the secret in the Authorization header)')
  })

  test('the secret in two places', async () => {
    const answer = await exchange(
      { grant_type: 'authorization_code', client_secret: gateway.secrets.get('twice')! },
      basic('twice'),
    )
    expect(answer.status).toBe(400)
    const failure = await diagnosed('twice', 'auth-method-wrong')
    expect(failure.said).toBe('The app authenticates in two ways at once: client_secret_basic client_secret_post.')
    expect(failure.fix.join()).not.toContain('apply')
  })

  test('a secret of an app that has none', async () => {
    await exchange({ grant_type: 'authorization_code', code: 'x' }, basic('public', 'a-secret'))
    const failure = await diagnosed('public', 'auth-method-wrong')
    expect(failure.said).toBe('The app authenticates by client_secret_basic, registered is none.')
    expect(failure.fix[0]).toContain('none (no secret, with PKCE)')
    expect(failure.fix.join()).toContain('oidc.token_endpoint_auth_method: client_secret_basic')
  })

  test('a grant type that is not registered', async () => {
    await exchange({ grant_type: 'client_credentials' }, basic('grant'))
    expect((await diagnosed('grant', 'grant-not-registered')).said).toContain('registered is `authorization_code`')
  })
})

describe('PKCE', () => {
  test('missing where it is required', async () => {
    const answer = await ask({ client_id: 'pkce', redirect_uri: CALLBACK, state: 's' })
    const failure = await diagnosed('pkce', 'pkce-missing')
    expect(failure.fix).toEqual([
      'in the app: switch PKCE on, with the method S256',
      expect.stringMatching(/^portico apps snippet pkce/),
      expect.stringContaining('oidc.pkce: optional'),
    ])
    // the app shows what it is told
    const location = new URL(answer.headers.get('location')!)
    expect(location.searchParams.get('error_description')).toContain(`reference ${failure.reference}`)
    expect(location.searchParams.get('state')).toBe('s')
  })

  test('plain', async () => {
    await ask({
      client_id: 'plain',
      redirect_uri: CALLBACK,
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'plain',
    })
    expect((await diagnosed('plain', 'pkce-missing')).said).toContain('than S256')
  })

  test('a verifier that is not of this challenge, and none', async () => {
    await exchange({ ...(await codeFor('verifier')), code_verifier: 'v'.repeat(43) }, basic('verifier'))
    expect((await diagnosed('verifier', 'pkce-verifier-wrong')).said).toContain('is not the one of its code_challenge')
    const { code_verifier: _none, ...without } = await codeFor('verifier')
    await exchange(without, basic('verifier'))
    expect((await last('verifier', 'pkce-verifier-wrong')).said).toContain('without its code_verifier')
  })
})

describe('assertions of the app', () => {
  async function withAssertion(
    id: string,
    claims: { iat?: number; nbf?: number; aud?: string } = {},
    key = pair.privateKey,
  ) {
    const now = Math.floor(Date.now() / 1000)
    const { iat = now, nbf = iat, aud = gateway.issuer } = claims
    const assertion = await new SignJWT({ jti: randomUUID(), iat, nbf, exp: iat + 60, aud, iss: id, sub: id })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .sign(key)
    return exchange({
      grant_type: 'authorization_code',
      code: 'x',
      redirect_uri: CALLBACK,
      client_id: id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    })
  }

  test('a clock that is ahead', async () => {
    const answer = await withAssertion('late', { iat: Math.floor(Date.now() / 1000) + 3600 })
    expect(answer.body['error']).toBe('invalid_client')
    const failure = await diagnosed('late', 'clock-skew')
    const seconds = Number(/it is (\d+) seconds later/.exec(failure.said)?.[1])
    expect(Math.abs(seconds - 3600)).toBeLessThan(120)
    expect(failure.likely).toBe(false)
    expect(failure.fix[0]).toContain('`timedatectl set-ntp true`')
  })

  test('a clock that is behind is likely, for an old message looks the same', async () => {
    await withAssertion('early', { iat: Math.floor(Date.now() / 1000) - 3600 })
    const failure = await diagnosed('early', 'clock-skew')
    expect(failure.likely).toBe(true)
    expect(failure.said).toMatch(/client assertion of the app is \d+ seconds old .* likely its clock is behind/)
  })

  test('another audience', async () => {
    await withAssertion('audience', { aud: 'https://other.example' })
    const failure = await diagnosed('audience', 'audience-wrong')
    expect(failure.said).toBe(
      `The audience (aud) of the client assertion is \`https://other.example\`, expected is \`${gateway.issuer}\`.`,
    )
    expect(failure.fix).toEqual([`in the app: set the audience to ${gateway.issuer}`])
  })

  test('another key', async () => {
    await withAssertion('signed', {}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    const failure = await diagnosed('signed', 'certificate-wrong')
    expect(failure.likely).toBe(true)
    expect(failure.fix.join()).toContain('oidc.jwks')
  })

  test('an app that asks about the token of another one is told nothing, and why stands there', async () => {
    const { tokens } = await signIn(browserOf(), await relyingParty(gateway, 'tokens'), 'sam', {
      scope: SIGNED.join(' '),
    })
    const answer = await exchange({ token: tokens.access_token }, basic('api'), 'introspection')
    expect(answer.body).toEqual({ active: false })
    const failure = await diagnosed('api', 'audience-wrong')
    expect(failure.said).toContain('issued to `tokens`')
    expect(failure.fix[0]).toContain('resource-server under tags')
  })
})

describe('groups', () => {
  test('asked for, and not registered', async () => {
    await ask({ client_id: 'no-groups', redirect_uri: CALLBACK, scope: 'openid groups' })
    const failure = await diagnosed('no-groups', 'groups-scope-missing')
    expect(failure.said).toContain('asks for the scope `groups`, which it is not registered with')
    expect(failure.fix[0]).toContain('groups under oidc.scopes')
  })

  test('another scope', async () => {
    await ask({ client_id: 'words', redirect_uri: CALLBACK, scope: 'openid offline_access groups email' })
    expect((await last('words', 'groups-scope-missing')).count).toBe(1)
  })

  test('registered, and not asked for: people get in, and it is said until the app asks', async () => {
    const party = await relyingParty(gateway, 'wants-groups')
    const browser = browserOf()
    await signIn(browser, party, 'sam', { scope: SIGNED.join(' ') })
    const failure = await diagnosed('wants-groups', 'groups-scope-missing')
    expect(failure.said).toContain('People get in, but the app is not told their groups')
    expect(failure.fix[0]).toBe('in the app: set the scopes to openid profile email groups')
    expect(failure.mended_at).toBeNull()
    await signIn(browser, party, 'sam', { scope: 'openid groups' })
    expect((await last('wants-groups', 'groups-scope-missing')).mended_at).not.toBeNull()
  })
})

describe('cookies', () => {
  test('a browser that keeps none is told so by a reference, and does not go in circles', async () => {
    const browser = browserOf()
    const begun = await (await relyingParty(gateway, 'cookies')).begin({ scope: SIGNED.join(' ') })
    const asked = await browser.open(begun.url.href)
    browser.jar.clear()
    const page = await browser.submit(formOf(asked, 'identifier'), { username: 'sam' })
    browser.jar.clear()
    const later = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
    const failure = await diagnosed('cookies', 'cookie-blocked')
    expect(later.text).toContain(failure.reference)
    expect(failure).toMatchObject({ likely: true, said: expect.stringContaining(new URL(gateway.issuer).host) })
    expect(failure.fix[0]).toContain('never in a frame')
  })

  test('the cookie of the request is gone when the browser comes back', async () => {
    const browser = browserOf()
    const begun = await (await relyingParty(gateway, 'resumed')).begin({ scope: SIGNED.join(' ') })
    const asked = await browser.open(begun.url.href)
    const page = await browser.submit(formOf(asked, 'identifier'), { username: 'sam' })
    for (const name of browser.jar.keys()) if (name.includes('resume')) browser.jar.delete(name)
    const end = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
    const failure = await diagnosed('resumed', 'cookie-blocked')
    expect(end.text).toContain(failure.reference)
  })

  /** Somebody is signed in, and the app sends them again and again. */
  async function circling(id: string, times: number, redeem: boolean, step = 1000, browser = browserOf()) {
    const party = await relyingParty(gateway, id)
    for (let i = 0; i < times; i++) {
      const begun = await party.begin({ scope: SIGNED.join(' ') })
      let page: Page = await browser.open(begun.url.href)
      if (!atCallback(page)) page = await typePassword(browser, page, 'sam')
      if (redeem) await party.finish(begun, page.url)
      clock.at += step
    }
    return browser
  }

  test('an app that takes the tokens and sends people here again at once likely does not believe them', async () => {
    const browser = await circling('loop', 5, true)
    const failure = await diagnosed('loop', 'sign-in-loop')
    expect(failure).toMatchObject({ likely: true, said: expect.stringContaining('let in 5 times within 4 seconds') })
    expect(failure.fix[1]).toBe(`in the app: the issuer is ${gateway.issuer}, the audience is the client id, loop`)
    expect(failure.mended_at).toBeNull()
    // they stay, and are back much later
    clock.at += 120_000
    await circling('loop', 1, true, 0, browser)
    expect((await last('loop', 'sign-in-loop')).mended_at).toBe(new Date(clock.at).toISOString())
  })

  test('an app that redeems no code has likely lost its own cookie', async () => {
    await circling('lost', 5, false)
    const failure = await diagnosed('lost', 'callback-loop')
    expect(failure).toMatchObject({ likely: true, said: expect.stringContaining('the app redeemed none') })
  })

  test('four times is no loop, nor are many tabs at the same moment', async () => {
    await circling('tabs', 4, true)
    clock.at += 60_000
    await circling('tabs', 8, false, 0)
    expect(await all('tabs')).toEqual([])
  })
})

describe('what people see', () => {
  const WORDS = { en: 'That did not work', nl: 'Dat lukte niet', de: 'Das hat nicht geklappt', ru: '' }

  test.each(Object.keys(WORDS))('one plain sentence and the reference, nothing of the cause (%s)', async (language) => {
    const answer = await ask(
      { client_id: 'grafana', redirect_uri: GRAFANA.replace('https', 'http') },
      { 'accept-language': language },
    )
    const page = await answer.text()
    const { reference, said } = await last('grafana', 'redirect-uri-scheme')
    expect(answer.status).toBe(400)
    expect(page).toContain(`<html lang="${language}"`)
    expect(page).toContain(reference)
    expect(page.match(new RegExp(REFERENCE, 'g'))).toHaveLength(1)
    expect(page).not.toMatch(/grafana|generic_oauth|redirect|registered|https?:\/\/grafana/)
    expect(page).not.toContain(said)
  })

  test('everybody whom the same cause stops reads out the same reference', async () => {
    const pages = await Promise.all(
      [1, 2, 3].map(
        async () =>
          (await ask({ client_id: 'response', redirect_uri: CALLBACK, response_type: 'token' })).headers.get(
            'location',
          )!,
      ),
    )
    const { reference, count, cause } = (await all('response'))[0]!
    expect(cause).toBe('not-diagnosed')
    expect(count).toBe(3)
    for (const location of pages) expect(location).toContain(reference)
  })
})

describe('afterwards', () => {
  test('a success of the app marks what had failed as mended, and the next failure begins anew', async () => {
    const id = 'mended'
    await exchange({ grant_type: 'authorization_code', code: 'x' }, basic(id, 'wrong'))
    await exchange({ grant_type: 'authorization_code', code: 'x' }, basic(id, 'wrong'))
    await ask({ client_id: id, redirect_uri: `${CALLBACK}/` })
    expect(await last(id, 'client-secret-wrong')).toMatchObject({ count: 2, mended_at: null })
    const { reference } = await last(id, 'client-secret-wrong')
    expect((await portico('apps', 'show', id)).out).toContain('no success since')

    const browser = browserOf()
    const party = await relyingParty(gateway, id)
    clock.at += 20_000
    // the person is let in, which does not say that the app can redeem the code
    const begun = await party.begin({ scope: SIGNED.join(' ') })
    const back = await typePassword(browser, await browser.open(begun.url.href), 'sam')
    expect((await last(id, 'redirect-uri-slash')).mended_at).toBe(new Date(clock.at).toISOString())
    expect((await last(id, 'client-secret-wrong')).mended_at).toBeNull()
    clock.at += 1000
    await party.finish(begun, back.url)
    expect((await last(id, 'client-secret-wrong')).mended_at).toBe(new Date(clock.at).toISOString())
    expect((await portico('apps', 'show', id)).out).toContain(
      `mended: last success after it ${new Date(clock.at).toISOString()}`,
    )

    clock.at += 1000
    await exchange({ grant_type: 'authorization_code', code: 'x' }, basic(id, 'wrong'))
    expect(await last(id, 'client-secret-wrong')).toMatchObject({ count: 1, mended_at: null, reference })
  })

  test('a success by the short way to tokens counts as well', async () => {
    // registered from the beginning: the engine's clock stands still beside ours, and no code is older than its app
    const id = 'quick'
    await exchange({ grant_type: 'authorization_code', code: 'x' }, basic(id, 'wrong'))
    expect((await last(id, 'client-secret-wrong')).mended_at).toBeNull()
    clock.at += 20_000
    const plain = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await exchange(await codeFor(id), { ...basic(id), ...plain })
    expect(answer.status).toBe(200)
    expect((await last(id, 'client-secret-wrong')).mended_at).toBe(new Date(clock.at).toISOString())
  })

  test('what happens every day is no failure of the app', async () => {
    const id = 'other-day'
    await gateway.server.house.catalog.apps.register(app(id) as never, 'test')
    const answer = await ask({
      client_id: id,
      redirect_uri: CALLBACK,
      prompt: 'none',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    })
    expect(answer.headers.get('location')).toContain('error=login_required')
    const { issuer, server } = gateway
    expect((await fetch(`${issuer}/oauth2/userinfo`, { headers: { authorization: 'Bearer nonsense' } })).status).toBe(
      401,
    )
    expect(await server.house.diagnosis.ofApp((await server.house.catalog.apps.find(id))!)).toEqual([])
  })

  test('an app that is removed takes its failures along, and another one of the same id begins without', async () => {
    const { catalog, diagnosis } = gateway.server.house
    await catalog.apps.register(app('brief') as never, 'test')
    await ask({ client_id: 'brief', redirect_uri: `${CALLBACK}/` })
    const { reference } = await last('brief', 'redirect-uri-slash')
    await catalog.apps.remove('brief', 'test')
    clock.at += 1000
    await catalog.apps.register(app('brief') as never, 'test')
    expect(await all('brief')).toEqual([])
    await catalog.apps.remove('brief', 'test')
    await diagnosis.tidy()
    expect(await diagnosis.byReference(reference)).toBeUndefined()
  })
})
