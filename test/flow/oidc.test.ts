/** OpenID Connect, as a relying party that is not ours sees it (openid-client). */
import { createHash, generateKeyPairSync } from 'node:crypto'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, CALLBACK, relyingParty, signIn, typePassword } from '../support/relying-party.ts'

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicJwk = { ...key.publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'k1' }

const app = (
  id: string,
  more: object = {},
  oidcMore: { readonly grant_types?: readonly string[] } & Record<string, unknown> = {},
) => ({
  id,
  name: `App ${id}`,
  policy: 'plain',
  audience: ['staff'],
  oidc: {
    redirect_uris: [CALLBACK],
    scopes: [
      'openid',
      'profile',
      'email',
      'groups',
      ...(oidcMore.grant_types?.includes('refresh_token') ? ['offline_access'] : []),
    ],
    ...oidcMore,
  },
  ...more,
})

let gateway: Gateway
const browserOf = () => createBrowser({ stopAt: CALLBACK })

beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    settings: { support: 'Call the helpdesk: 4711' },
    people: [
      {
        username: 'sam',
        name: 'Sam de Vries',
        mail: 'sam@kestrel.example',
        mailVerified: true,
        groups: ['staff', 'store'],
      },
      { username: 'guest', name: 'Guest', groups: [] },
      { username: 'late', name: 'Late', mail: 'late@kestrel.example', mailVerified: true, groups: ['staff'] },
    ],
    apps: [
      app('web'),
      app('web-refresh', {}, { grant_types: ['authorization_code', 'refresh_token'] }),
      app('post', {}, { token_endpoint_auth_method: 'client_secret_post' }),
      app('public', {}, { token_endpoint_auth_method: 'none' }),
      app('keyed', {}, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk] } }),
      app('strict', { policy: 'strict' }),
      app('closed', { policy: 'closed' }),
      app('theirs', { first_party: false }),
      app('id-token-only', {}, { claims: { groups: ['store'], in_id_token: true } }),
      app('tv', {}, { grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'] }),
      { id: 'machine', template: 'machine', policy: 'plain' },
      { id: 'api', template: 'machine', policy: 'plain', tags: ['resource-server'] },
    ] as never,
  })
})
afterAll(() => gateway.close())

const rejection = async (promise: Promise<unknown>) =>
  promise.then(
    () => ({ error: 'nothing was refused' }) as Record<string, unknown>,
    (error) =>
      ({ error: error.error, status: error.status, cause: error.cause, code: error.code }) as Record<string, unknown>,
  )

describe('authorization code with PKCE (RFC 6749 §4.1, RFC 7636)', () => {
  test('somebody signs in once and the app learns who it is, how and when', async () => {
    const party = await relyingParty(gateway, 'web')
    const { tokens } = await signIn(browserOf(), party, 'sam', { scope: 'openid profile email groups' })
    const claims = tokens.claims()!
    expect(claims.sub).toBe(gateway.ids.get('sam'))
    expect(claims['acr']).toBe('any')
    expect(claims['amr']).toContain('pwd')
    expect(claims['auth_time']).toBeGreaterThan(Date.now() / 1000 - 60)
    const userinfo = await oidc.fetchUserInfo(party.configuration, tokens.access_token, claims.sub)
    expect(userinfo).toMatchObject({
      name: 'Sam de Vries',
      email: 'sam@kestrel.example',
      email_verified: true,
      preferred_username: 'sam',
      groups: ['staff', 'store'],
    })
  })

  test('the next app opens silently in the same browser', async () => {
    const browser = browserOf()
    await signIn(browser, await relyingParty(gateway, 'web'), 'sam')
    const party = await relyingParty(gateway, 'post', undefined)
    const begun = await party.begin()
    const page = await browser.open(begun.url.href)
    expect(atCallback(page)).toBe(true)
  })

  test('a code works once; presented again it ends the tokens it gave (RFC 6749 §4.1.2)', async () => {
    const party = await relyingParty(gateway, 'web')
    const { tokens, callback, begun } = await signIn(browserOf(), party, 'sam')
    expect((await rejection(party.finish(begun, callback))).error).toBe('invalid_grant')
    const userinfo = await rejection(
      oidc.fetchUserInfo(party.configuration, tokens.access_token, oidc.skipSubjectCheck),
    )
    expect(userinfo.error).not.toBe('nothing was refused')
  })

  test('of 50 parallel exchanges of one code exactly one wins', async () => {
    const party = await relyingParty(gateway, 'web')
    const begun = await party.begin()
    const browser = browserOf()
    const page = await typePassword(browser, await browser.open(begun.url.href), 'sam')
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => party.finish(begun, page.url)))
    expect(answers.filter((answer) => answer.status === 'fulfilled')).toHaveLength(1)
  })

  test('a code without its verifier, or with another one, gives nothing', async () => {
    const party = await relyingParty(gateway, 'web')
    const begun = await party.begin()
    const browser = browserOf()
    const page = await typePassword(browser, await browser.open(begun.url.href), 'sam')
    const wrong = await rejection(party.finish({ ...begun, verifier: oidc.randomPKCECodeVerifier() }, page.url))
    expect(wrong.error).toBe('invalid_grant')
  })

  test('a request without a code challenge is refused', async () => {
    const url = new URL(`${gateway.issuer}/oauth2/auth`)
    url.search = new URLSearchParams({
      client_id: 'web',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: CALLBACK,
      state: 'x',
    }).toString()
    const page = await browserOf().open(url.href)
    expect(page.url.searchParams.get('error')).toBe('invalid_request')
  })
})

describe('client authentication (OIDC Core §9)', () => {
  test.each([
    ['post', () => oidc.ClientSecretPost(gateway.secrets.get('post')!)],
    ['web', () => oidc.ClientSecretBasic(gateway.secrets.get('web')!)],
    ['public', () => oidc.None()],
  ])('%s', async (id, authentication) => {
    const { tokens } = await signIn(browserOf(), await relyingParty(gateway, id, authentication()), 'sam')
    expect(tokens.claims()?.aud).toBe(id)
  })

  test('private_key_jwt, and an assertion cannot be used twice (RFC 7523 §3)', async () => {
    let assertion: string | undefined
    const signing = await crypto.subtle.importKey(
      'jwk',
      key.privateKey.export({ format: 'jwk' }),
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )
    const party = await relyingParty(gateway, 'keyed', oidc.PrivateKeyJwt({ key: signing, kid: 'k1' }))
    party.configuration[oidc.customFetch] = async (url, options) => {
      assertion ??= new URLSearchParams(String(options.body)).get('client_assertion') ?? undefined
      return fetch(url, options as RequestInit)
    }
    const { tokens } = await signIn(browserOf(), party, 'sam')
    expect(tokens.claims()?.aud).toBe('keyed')
    const body = new URLSearchParams({
      token: 'x',
      client_assertion: assertion!,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    const again = await fetch(`${gateway.issuer}/oauth2/introspection`, { method: 'POST', body })
    expect(again.status).toBe(401)
  })

  test('a wrong secret is refused', async () => {
    const response = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('web:wrong')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    })
    expect(response.status).toBe(401)
  })
})

describe('refresh tokens (RFC 6749 §6, RFC 9700 §4.14)', () => {
  test('each works once; a stolen one that is used again ends the whole family', async () => {
    const party = await relyingParty(gateway, 'web-refresh')
    const { tokens } = await signIn(browserOf(), party, 'sam')
    const first = tokens.refresh_token!
    const second = await oidc.refreshTokenGrant(party.configuration, first)
    expect(second.refresh_token).not.toBe(first)
    expect((await rejection(oidc.refreshTokenGrant(party.configuration, first))).error).toBe('invalid_grant')
    expect((await rejection(oidc.refreshTokenGrant(party.configuration, second.refresh_token!))).error).toBe(
      'invalid_grant',
    )
  })

  test('of 20 parallel uses at most one gives tokens', async () => {
    const party = await relyingParty(gateway, 'web-refresh')
    const { tokens } = await signIn(browserOf(), party, 'sam')
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, () => oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!)),
    )
    expect(answers.filter((answer) => answer.status === 'fulfilled').length).toBeLessThanOrEqual(1)
  })

  test('signing out ends the session-bound ones', async () => {
    const party = await relyingParty(gateway, 'web-refresh')
    const browser = browserOf()
    const { tokens } = await signIn(browser, party, 'sam')
    await gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'signed-out', 'test')
    expect((await rejection(oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!))).error).toBe(
      'invalid_grant',
    )
    expect(
      (await rejection(oidc.fetchUserInfo(party.configuration, tokens.access_token, oidc.skipSubjectCheck))).error,
    ).not.toBe('nothing was refused')
  })
})

describe('what a request may add (OIDC Core §3.1.2.1)', () => {
  test('prompt=none without a session answers login_required, with one a code', async () => {
    const party = await relyingParty(gateway, 'web')
    const browser = browserOf()
    const none = await browser.open((await party.begin({ prompt: 'none' })).url.href)
    expect(none.url.searchParams.get('error')).toBe('login_required')
    await signIn(browser, party, 'sam')
    const silent = await browser.open((await party.begin({ prompt: 'none' })).url.href)
    expect(silent.url.searchParams.get('code')).toBeTruthy()
  })

  test('prompt=none where a step-up would be needed answers interaction_required', async () => {
    const browser = browserOf()
    await signIn(browser, await relyingParty(gateway, 'web'), 'sam')
    const page = await browser.open((await (await relyingParty(gateway, 'strict')).begin({ prompt: 'none' })).url.href)
    expect(page.url.searchParams.get('error')).toBe('interaction_required')
  })

  test('prompt=login asks again although a session lives, without asking for the name', async () => {
    const party = await relyingParty(gateway, 'web')
    const browser = browserOf()
    const before = await signIn(browser, party, 'sam')
    const begun = await party.begin({ prompt: 'login' })
    const asked = await browser.open(begun.url.href)
    expect(atCallback(asked)).toBe(false)
    const page = await browser.submit(formOf(asked, 'password'), { password: 'a lamp post in the rain' })
    const tokens = await party.finish(begun, page.url)
    expect(tokens.claims()!['auth_time']).toBeGreaterThanOrEqual(before.tokens.claims()!['auth_time'] as number)
  })

  test('max_age=0 asks again; a large max_age does not', async () => {
    const party = await relyingParty(gateway, 'web')
    const browser = browserOf()
    await signIn(browser, party, 'sam')
    expect(atCallback(await browser.open((await party.begin({ max_age: '3600' })).url.href))).toBe(true)
    expect(atCallback(await browser.open((await party.begin({ max_age: '0' })).url.href))).toBe(false)
  })

  test('acr_values that do not exist cannot be met', async () => {
    const page = await browserOf().open(
      (await (await relyingParty(gateway, 'web')).begin({ acr_values: 'urn:made:up' })).url.href,
    )
    expect(page.url.searchParams.get('error')).toBe('unmet_authentication_requirements')
  })

  test('login_hint fills in the name', async () => {
    const page = await browserOf().open(
      (await (await relyingParty(gateway, 'web')).begin({ login_hint: 'sam' })).url.href,
    )
    expect(page.text).toContain('value="sam"')
  })

  test('claims asks for a single claim within what was agreed (OIDC Core §5.5)', async () => {
    const party = await relyingParty(gateway, 'web')
    const { tokens } = await signIn(browserOf(), party, 'sam', {
      claims: JSON.stringify({ id_token: { email: null } }),
    })
    expect(tokens.claims()!['email']).toBe('sam@kestrel.example')
  })
})

describe('what an app is told', () => {
  test('an app that never asks userinfo finds everything in the ID token, with the groups that it may see', async () => {
    const party = await relyingParty(gateway, 'id-token-only')
    const { tokens } = await signIn(browserOf(), party, 'sam', { scope: 'openid profile email groups' })
    expect(tokens.claims()).toMatchObject({ name: 'Sam de Vries', email: 'sam@kestrel.example', groups: ['store'] })
  })

  test('an app that is not ours gets no claim beyond the scopes agreed to, whatever it asks', async () => {
    const party = await relyingParty(gateway, 'theirs')
    const browser = browserOf()
    const begun = await party.begin({
      scope: 'openid',
      claims: JSON.stringify({ id_token: { email: null }, userinfo: { email: null } }),
    })
    let page = await typePassword(browser, await browser.open(begun.url.href), 'sam')
    if (!atCallback(page)) page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
    expect((await party.finish(begun, page.url)).claims()).not.toHaveProperty('email')
  })

  test('a claim that was refused is told once its scope is agreed to, in the same session', async () => {
    const party = await relyingParty(gateway, 'theirs')
    const browser = browserOf()
    const about = async (parameters: Record<string, string>) => {
      const begun = await party.begin(parameters)
      let page = await browser.open(begun.url.href)
      if (!atCallback(page) && !page.text.includes('value="consent"')) page = await typePassword(browser, page, 'late')
      if (!atCallback(page)) page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
      const tokens = await party.finish(begun, page.url)
      return oidc.fetchUserInfo(party.configuration, tokens.access_token, tokens.claims()!.sub)
    }
    const claims = JSON.stringify({ userinfo: { email: null } })
    expect(await about({ scope: 'openid', claims })).not.toHaveProperty('email')
    expect(await about({ scope: 'openid email' })).toHaveProperty('email', 'late@kestrel.example')
    // and then without the scope too: it was agreed to
    expect(await about({ scope: 'openid', claims })).toHaveProperty('email', 'late@kestrel.example')
  })

  test('a single claim that the scopes of this request would not give is told where the registration has it', async () => {
    const party = await relyingParty(gateway, 'web')
    const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
    const { tokens } = await signIn(browserOf(), party, 'sam', { scope: 'openid', claims })
    const told = await oidc.fetchUserInfo(party.configuration, tokens.access_token, tokens.claims()!.sub)
    expect(told).toEqual({ sub: tokens.claims()!.sub, name: 'Sam de Vries' })
  })
})

describe('who gets in', () => {
  test('somebody outside the audience is refused with a reference, and the app hears of it', async () => {
    const party = await relyingParty(gateway, 'web')
    const browser = browserOf()
    const page = await typePassword(browser, await browser.open((await party.begin()).url.href), 'guest')
    expect(page.status).toBe(403)
    expect(page.text).toMatch(/[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/)
    const back = /href="(\/signin\/[^"]*back)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&')
    const returned = await browser.open(`${gateway.issuer}${back}`)
    expect(returned.url.searchParams.get('error')).toBe('access_denied')
  })

  test('a rule that denies says its sentence in the language of the person', async () => {
    const browser = createBrowser({ headers: { 'accept-language': 'nl' } })
    const page = await browser.open((await (await relyingParty(gateway, 'closed')).begin()).url.href)
    expect(page.text).toContain('Dit blijft hier dicht.')
    expect(page.text).toContain('Ga ergens anders heen.')
    // whoever cannot do what the rule says still needs somebody to call
    expect(page.text).toMatch(/Ga ergens anders heen\.[\s\S]*Call the helpdesk: 4711/)
  })

  test('where to get help is said once, also where a rule has nothing to say, and beside a password that was wrong, not before', async () => {
    const party = await relyingParty(gateway, 'web')
    const browser = browserOf()
    const asked = await browser.open((await party.begin()).url.href)
    const times = ({ text }: { text: string }) => text.split('Call the helpdesk: 4711').length - 1
    expect(times(asked)).toBe(0)
    let page = await browser.submit(formOf(asked, 'identifier'), { username: 'nobody.at.all' })
    expect(times(page)).toBe(0)
    const answers = []
    for (let tries = 0; tries < 12; tries++) {
      page = await browser.submit(formOf(page, 'password'), { password: 'not the one' })
      answers.push([page.status, times(page)])
    }
    expect(answers[0]).toEqual([400, 1])
    expect(answers.at(-1)).toEqual([429, 1])
    const other = browserOf()
    const guest = await typePassword(other, await other.open((await party.begin()).url.href), 'guest')
    expect(guest.status).toBe(403)
    expect(times(guest)).toBe(1)
  })

  test('a person who is switched off is out at once: sessions, tokens, refresh', async () => {
    const { people } = gateway.server.house
    const { id } = await people.add(
      { username: 'leaver', name: 'Leaver', groups: ['staff'], password: 'a lamp post in the rain' },
      'test',
    )
    const party = await relyingParty(gateway, 'web-refresh')
    const browser = browserOf()
    const { tokens } = await signIn(browser, party, 'leaver', {
      scope: 'openid offline_access',
      prompt: 'consent login',
    }).catch(() => signIn(browser, party, 'leaver'))
    await people.disable(id, 'test')
    expect((await rejection(oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!))).error).toBe(
      'invalid_grant',
    )
    expect(
      (await rejection(oidc.fetchUserInfo(party.configuration, tokens.access_token, oidc.skipSubjectCheck))).error,
    ).not.toBe('nothing was refused')
    const page = await browser.open((await party.begin()).url.href)
    expect(atCallback(page)).toBe(false)
    const refused = await typePassword(browser, page, 'leaver')
    expect(refused.status).toBe(400)
  })
})

describe('somebody who is removed', () => {
  test('leaves decisions behind, but nothing that was known about them', async () => {
    const { people, storage, receipts } = gateway.server.house
    const { id } = await people.add(
      {
        username: 'gone',
        name: 'Gone',
        groups: ['staff'],
        attributes: { team: ['canaries'] },
        password: 'a lamp post in the rain',
      },
      'test',
    )
    const browser = browserOf()
    const party = await relyingParty(gateway, 'theirs')
    const asked = await typePassword(browser, await browser.open((await party.begin()).url.href), 'gone')
    await browser.submit(formOf(asked, 'consent'), { answer: 'allow' })
    await people.remove(id, 'test')
    const left = await receipts.ofPerson(id, 100)
    expect(left.map(({ outcome, facts }) => [outcome, facts])).toContainEqual(['allow', undefined])
    const tables = await Promise.all(
      ['receipts', 'receipt_parts'].map((table) => storage.records.selectFrom(table).selectAll().execute()),
    )
    expect(JSON.stringify(tables)).not.toMatch(/canaries|\\"gone\\"/)
    expect(await storage.records.selectFrom('consents').selectAll().where('person', '=', id).execute()).toEqual([])
  })
})

describe('consent', () => {
  test('an app that is not ours asks once what it may know, and not again in the next session', async () => {
    const party = await relyingParty(gateway, 'theirs')
    const begun = await party.begin()
    const browser = browserOf()
    const asked = await typePassword(browser, await browser.open(begun.url.href), 'sam')
    const page = await browser.submit(formOf(asked, 'consent'), { answer: 'allow' })
    expect((await party.finish(begun, page.url)).claims()?.aud).toBe('theirs')
    const { tokens } = await signIn(browserOf(), party, 'sam')
    expect(tokens.access_token).toBeTruthy()
  })

  test('a no goes back to the app', async () => {
    const party = await relyingParty(gateway, 'theirs')
    const browser = browserOf()
    const asked = await typePassword(
      browser,
      await browser.open((await party.begin({ scope: 'openid groups' })).url.href),
      'sam',
    )
    const page = await browser.submit(formOf(asked, 'consent'), { answer: 'deny' })
    expect(page.url.searchParams.get('error')).toBe('access_denied')
  })
})

describe('machines and tools', () => {
  test('client credentials are judged by the policy of the client', async () => {
    const { configuration } = await relyingParty(gateway, 'machine')
    const tokens = await oidc.clientCredentialsGrant(configuration)
    const seen = await oidc.tokenIntrospection(configuration, tokens.access_token)
    expect(seen).toMatchObject({ active: true, client_id: 'machine' })
    await oidc.tokenRevocation(configuration, tokens.access_token)
    expect((await oidc.tokenIntrospection(configuration, tokens.access_token)).active).toBe(false)
  })

  test('a client sees its own tokens only, unless it is a resource server (RFC 7662 §4)', async () => {
    const { tokens } = await signIn(browserOf(), await relyingParty(gateway, 'web'), 'sam')
    const other = await relyingParty(gateway, 'machine')
    expect((await oidc.tokenIntrospection(other.configuration, tokens.access_token)).active).toBe(false)
    const api = await relyingParty(gateway, 'api')
    expect((await oidc.tokenIntrospection(api.configuration, tokens.access_token)).active).toBe(true)
  })

  test('pushed authorization requests (RFC 9126)', async () => {
    const party = await relyingParty(gateway, 'web')
    const begun = await party.begin()
    const url = await oidc.buildAuthorizationUrlWithPAR(party.configuration, begun.url.searchParams)
    const browser = browserOf()
    const page = await typePassword(browser, await browser.open(url.href), 'sam')
    expect((await party.finish(begun, page.url)).access_token).toBeTruthy()
    const again = await browser.open(url.href)
    expect(atCallback(again) && again.url.searchParams.has('code')).toBe(false)
  })

  test('the device flow connects a television (RFC 8628)', async () => {
    const { configuration } = await relyingParty(gateway, 'tv')
    const started = await oidc.initiateDeviceAuthorization(configuration, { scope: 'openid' })
    const browser = browserOf()
    const code = await browser.open(started.verification_uri)
    const confirm = await browser.submit(formOf(code, 'device-code'), { user_code: started.user_code })
    const asked = await browser.submit(formOf(confirm, 'device-confirm'), { confirm: 'yes' })
    const done = await typePassword(browser, asked, 'sam')
    expect(done.status).toBe(200)
    const response = await fetch(configuration.serverMetadata().token_endpoint!, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`tv:${gateway.secrets.get('tv')}`)}` },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: started.device_code,
      }),
    })
    expect(response.status).toBe(200)
  })

  test('a page that refuses a request has a reference, and the log says under it which app and why', async () => {
    const wrong = new URLSearchParams({
      client_id: 'web',
      response_type: 'code',
      redirect_uri: 'https://wrong.example',
    })
    const page = await (await fetch(`${gateway.issuer}/oauth2/auth?${wrong}`)).text()
    const [reference] = /E-[0-9A-Z-]{4,}/.exec(page) ?? []
    expect(page).toContain('Call the helpdesk: 4711')
    expect(await (await fetch(`${gateway.issuer}/nowhere`)).text()).toContain('Call the helpdesk: 4711')
    const lines = gateway.log().trim().split('\n')
    const said = lines.map((one) => JSON.parse(one)).filter(({ request }) => request === reference)
    const line = said.find(({ event }) => event === 'oidc-error-page')
    expect(line).toMatchObject({ kind: 'InvalidRedirectUri', client: 'web' })
    expect(JSON.stringify(line)).not.toContain('wrong.example')

    const unknown = new URLSearchParams({ client_id: 'sam@kestrel.example', response_type: 'code' })
    expect((await fetch(`${gateway.issuer}/oauth2/auth?${unknown}`)).status).toBe(400)
    const last = gateway.log().trim().split('\n').at(-1)!
    expect(JSON.parse(last)).toMatchObject({ code: 'invalid_client' })
    expect(last).not.toContain('kestrel')
  })

  test('sub is opaque', () => {
    expect(gateway.ids.get('sam')).not.toContain('sam')
    expect(createHash('sha256').update('sam').digest('hex')).not.toContain(gateway.ids.get('sam')!)
  })
})
