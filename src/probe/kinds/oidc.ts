/** An OpenID Provider that says what a case wants it to say (OpenID Connect Core 1.0, Back-Channel Logout 1.0). */
import { createHash } from 'node:crypto'
import { CompactSign, exportJWK } from 'jose'
import { seconds } from '#core/clock'
import { constantTimeEqual } from '#core/digest'
import { randomId } from '#core/random'
import type { Browser, Stop } from '../browser.ts'
import { type Bench, type Desk, onTarget, Stuck, stuckAt } from '../kind.ts'
import type { Answered, Asked } from '../listener.ts'
import type { ProbeKey } from '../material.ts'
import { ALMA, type ProbePerson } from '../person.ts'

export type Claims = Readonly<Record<string, unknown>>

/** What is wrong this time; nothing unless given. */
export interface Forge {
  claims?(claims: Claims): Claims
  /** Instead of signing with the key that is published. */
  sign?(claims: Claims, bench: OidcBench): Promise<string>
  userinfo?(claims: Claims): Claims
}

/** What the app asked for. */
export interface AuthRequest {
  readonly redirectUri: URL
  readonly state: string | undefined
  readonly nonce: string | undefined
  readonly challenge: string | undefined
  readonly challengeMethod: string | undefined
  readonly formPost: boolean
}

/** One code, and what the app did with it. */
export interface Attempt {
  readonly code: string
  readonly sid: string
  redeemed: number
  verifier: 'right' | 'wrong' | 'missing' | undefined
  userinfoAsked: boolean
}

export interface OidcBench extends Bench {
  readonly desk: Desk
  readonly key: ProbeKey
  readonly issuer: string
  /** The app was refused at the token endpoint, for its secret. */
  secretWrong: boolean
  /** Opens the start of the sign-in. Throws `Stuck`. */
  begin(browser: Browser): Promise<AuthRequest>
  /** A code for it, to be redeemed as the forge says. */
  prepare(request: AuthRequest, forge?: Forge): Attempt
  /** Brings the answer to the app. */
  deliver(browser: Browser, request: AuthRequest, fields: Readonly<Record<string, string>>): Promise<Stop>
  /** The fields of a right answer. */
  rightFields(request: AuthRequest, attempt: Attempt): Readonly<Record<string, string>>
  sign(claims: Claims, header?: Claims, key?: ProbeKey['key'] | Uint8Array): Promise<string>
  /** Where the test copy takes sign-outs. */
  readonly logoutUri: URL | undefined
}

const LIFE = 300

export async function openOidc(desk: Desk): Promise<OidcBench> {
  const { app, ours, material, clock } = desk
  const oidc = app.oidc!
  const alg = oidc.idTokenSignedResponseAlg ?? 'RS256'
  const key = material.keys.find((one) => one.alg === alg)!
  const jwk = { ...(await exportJWK(key.publicKey)), kid: key.kid, alg, use: 'sig' }
  const secret = material.secretOf(app.id)
  const byCode = new Map<string, { attempt: Attempt; request: AuthRequest; forge: Forge }>()
  const byToken = new Map<string, { attempt: Attempt; forge: Forge }>()
  const confidential = oidc.tokenEndpointAuthMethod.startsWith('client_secret_')

  async function token(asked: Asked): Promise<Answered> {
    const form = new URLSearchParams(asked.body)
    const given = secretIn(asked, form)
    if (given !== undefined && !constantTimeEqual(given, secret)) {
      bench.secretWrong = true
      return { status: 401, body: { error: 'invalid_client' } }
    }
    const found = byCode.get(form.get('code') ?? '')
    if (!found) return { status: 400, body: { error: 'invalid_grant' } }
    const { attempt, request, forge } = found
    attempt.redeemed++
    attempt.verifier = verifierOf(form.get('code_verifier'), request)
    const now = Math.floor(clock.now() / 1000)
    const right: Claims = {
      iss: ours,
      aud: app.id,
      iat: now,
      exp: now + LIFE,
      auth_time: now,
      sid: attempt.sid,
      ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
      ...personClaims(ALMA),
    }
    const claims = forge.claims?.(right) ?? right
    const accessToken = randomId(32)
    byToken.set(accessToken, { attempt, forge })
    return {
      body: {
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in: LIFE,
        scope: 'openid profile email',
        id_token: await (forge.sign?.(claims, bench) ?? bench.sign(claims)),
      },
    }
  }

  function userinfo({ headers }: Asked): Answered {
    const found = byToken.get(/^bearer (.+)$/i.exec(String(headers['authorization'] ?? ''))?.[1] ?? '')
    if (!found) return { status: 401, body: { error: 'invalid_token' } }
    found.attempt.userinfoAsked = true
    const right = personClaims(ALMA)
    return { body: found.forge.userinfo?.(right) ?? right }
  }

  const bench: OidcBench = {
    desk,
    key,
    issuer: ours,
    secretWrong: false,
    values: {
      issuer: ours,
      discovery_url: `${ours}/.well-known/openid-configuration`,
      client_id: app.id,
      ...(confidential ? { client_secret: secret } : {}),
    },
    logoutUri: oidc.backchannelLogoutUri === undefined ? undefined : onTarget(oidc.backchannelLogoutUri, desk),

    async answer(asked) {
      switch (asked.url.pathname) {
        case '/.well-known/openid-configuration':
          return { body: metadata(ours, alg) }
        case '/jwks':
          return { body: { keys: [jwk] } }
        // for apps that follow the address in a token's own header
        case '/strange-jwks': {
          const strange = await exportJWK(material.stranger())
          return { body: { keys: [{ kty: strange.kty, n: strange.n, e: strange.e, kid: key.kid, alg: 'RS256' }] } }
        }
        case '/token':
          return asked.method === 'POST' ? token(asked) : { status: 405, body: { error: 'invalid_request' } }
        case '/userinfo':
          return userinfo(asked)
        default:
          return undefined
      }
    },

    async begin(browser) {
      const stop = await browser.open(desk.target)
      if (stop.end !== 'ours' || stop.url.pathname !== '/auth') throw stuckAt(stop, '/auth')
      return readRequest(stop.fields, desk)
    },

    prepare(request, forge = {}) {
      const attempt: Attempt = {
        code: randomId(),
        sid: randomId(),
        redeemed: 0,
        verifier: undefined,
        userinfoAsked: false,
      }
      byCode.set(attempt.code, { attempt, request, forge })
      return attempt
    },

    deliver(browser, { redirectUri, formPost }, fields) {
      if (formPost) return browser.post(redirectUri, fields)
      const url = new URL(redirectUri)
      for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value)
      return browser.open(url)
    },

    rightFields: ({ state }, { code }) => ({ code, iss: ours, ...(state === undefined ? {} : { state }) }),

    sign: (claims, header = {}, signer = key.key) =>
      new CompactSign(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg, kid: key.kid, typ: 'JWT', ...header })
        .sign(signer),
  }
  return bench
}

/** A sign-in with nothing wrong, or with what the forge says. */
export async function signInBy(
  bench: OidcBench,
  forge?: Forge,
): Promise<{ browser: Browser; landed: Stop; request: AuthRequest; attempt: Attempt }> {
  const browser = bench.desk.browser()
  const request = await bench.begin(browser)
  const attempt = bench.prepare(request, forge)
  const landed = await bench.deliver(browser, request, bench.rightFields(request, attempt))
  return { browser, landed, request, attempt }
}

/** Throws `Stuck` with what is to be mended at the test copy. */
export async function signInRight(bench: OidcBench): Promise<Awaited<ReturnType<typeof signInBy>>> {
  const done = await signInBy(bench)
  if (done.attempt.redeemed === 0)
    throw bench.secretWrong
      ? new Stuck('secret-wrong', 'the test copy has another client secret than the probe gave')
      : new Stuck(
          'code-unredeemed',
          'the test copy did not redeem the code: see its log, and whether it reaches the address of the probe',
        )
  return done
}

function readRequest(fields: URLSearchParams, desk: Desk): AuthRequest {
  const text = (name: string) => fields.get(name) ?? undefined
  if (text('client_id') !== desk.app.id)
    throw new Stuck(
      'client-id-wrong',
      `the test copy calls itself \`${text('client_id') ?? ''}\`, expected \`${desk.app.id}\``,
    )
  if (text('response_type') !== 'code')
    throw new Stuck('flow-unsupported', 'the test copy does not ask for a code, the only flow that is tried')
  const redirectUri = URL.parse(text('redirect_uri') ?? '')
  // INVARIANT: what the test copy says does not widen whom the probe sends to
  if (!redirectUri || redirectUri.origin !== desk.target.origin)
    throw new Stuck(
      'redirect-elsewhere',
      `the answer is wanted at ${redirectUri?.origin ?? 'no address'}, not at the target`,
    )
  return {
    redirectUri,
    state: text('state'),
    nonce: text('nonce'),
    challenge: text('code_challenge'),
    challengeMethod: text('code_challenge_method'),
    formPost: text('response_mode') === 'form_post',
  }
}

/** RFC 7636 §4.6. */
function verifierOf(verifier: string | null, { challenge, challengeMethod }: AuthRequest): Attempt['verifier'] {
  if (verifier === null) return 'missing'
  const hash = challengeMethod === 'S256' ? createHash('sha256').update(verifier).digest('base64url') : verifier
  return hash === challenge ? 'right' : 'wrong'
}

/** RFC 6749 §2.3.1. */
function secretIn({ headers }: Asked, form: URLSearchParams): string | undefined {
  const basic = /^basic (.+)$/i.exec(String(headers['authorization'] ?? ''))?.[1]
  if (basic === undefined) return form.get('client_secret') ?? undefined
  const text = Buffer.from(basic, 'base64').toString('utf8')
  return decodeURIComponent(text.slice(text.indexOf(':') + 1).replace(/\+/g, '%20'))
}

export const personClaims = ({ id, username, name, givenName, familyName, mail }: ProbePerson): Claims => ({
  sub: id,
  preferred_username: username,
  name,
  given_name: givenName,
  family_name: familyName,
  email: mail,
  email_verified: true,
})

const metadata = (issuer: string, alg: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/auth`,
  token_endpoint: `${issuer}/token`,
  userinfo_endpoint: `${issuer}/userinfo`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  response_modes_supported: ['query', 'form_post'],
  grant_types_supported: ['authorization_code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [alg],
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  scopes_supported: ['openid', 'profile', 'email'],
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
  backchannel_logout_supported: true,
  backchannel_logout_session_supported: true,
})

/** So far in the past that no clock is meant. */
export const LONG_AGO = seconds(3600) / 1000
