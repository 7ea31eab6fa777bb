/** What an ID Token and the userinfo say (OpenID Connect Core 1.0 §3.1.3.7, §5.3.2; RFC 8725). */
import { CompactSign, exportJWK } from 'jose'
import { randomId } from '#core/random'
import { type ProbeCase, trialOf } from '../kind.ts'
import {
  type Claims,
  type Forge,
  LONG_AGO,
  type OidcBench,
  personClaims,
  signInBy,
  signInRight,
} from '../kinds/oidc.ts'
import { BORIS } from '../person.ts'
import type { Severity } from '../report.ts'

type Row = ProbeCase<OidcBench>
const CORE = 'OpenID Connect Core §3.1.3.7'

const without = (claims: Claims, name: string): Claims =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A sign-in in which that is wrong, and nothing else. */
function forged(code: string, section: string, severity: Severity, forge: Forge, needsNonce = false): Row {
  return {
    code,
    section,
    severity,
    async run(bench, see) {
      const { browser, attempt, request } = await signInBy(bench, forge)
      // RFC 9700 §2.1.1: whoever has PKCE may do without
      if (needsNonce && request.nonce === undefined) return { result: 'not-applicable', note: 'the app sends no nonce' }
      if (attempt.redeemed === 0) return { result: 'inconclusive', note: 'the app did not redeem the code' }
      return trialOf((await see(browser)).who)
    },
  }
}

const claim = (code: string, section: string, severity: Severity, change: (claims: Claims) => Claims): Row =>
  forged(code, section, severity, { claims: change })

const header = (bench: OidcBench) => ({ alg: bench.key.alg, kid: bench.key.kid, typ: 'JWT' })
const pem = ({ key: { publicKey } }: OidcBench) => publicKey.export({ type: 'spki', format: 'pem' }) as string

/** With a key that is not published, and perhaps a header that leads to it. */
const byStranger =
  (more: (bench: OidcBench) => Promise<Claims>) =>
  async (claims: Claims, bench: OidcBench): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'RS256', kid: bench.key.kid, typ: 'JWT', ...(await more(bench)) })
      .sign(bench.desk.material.stranger())

const strangeJwk = async (bench: OidcBench) => {
  const { kty, n, e } = await exportJWK(bench.desk.material.stranger())
  return { kty, n, e }
}

/** Of apps that look at signatures at all: whoever does not is named once, by `signature-of-another-key`. */
function readingSignatures(code: string, section: string, sign: NonNullable<Forge['sign']>): Row {
  const row = forged(code, section, 'high', { sign })
  return {
    ...row,
    async run(bench, see) {
      const trial = await row.run(bench, see)
      if (trial.result !== 'accepted') return trial
      const { browser } = await signInBy(bench, { sign: byStranger(async () => ({})) })
      return (await see(browser)).who === 'nobody'
        ? trial
        : { result: 'not-applicable', note: 'signatures are not looked at: see `signature-of-another-key`' }
    },
  }
}

export const tokenCases: readonly Row[] = [
  forged('nonce-wrong', CORE, 'high', { claims: (claims) => ({ ...claims, nonce: randomId() }) }, true),
  forged('nonce-missing', CORE, 'high', { claims: (claims) => without(claims, 'nonce') }, true),
  claim('iss-wrong', CORE, 'high', (claims) => ({ ...claims, iss: 'https://other.probe.example' })),
  claim('iss-missing', CORE, 'medium', (claims) => without(claims, 'iss')),
  claim('aud-wrong', CORE, 'high', (claims) => ({ ...claims, aud: 'another-app' })),
  claim('aud-missing', CORE, 'high', (claims) => without(claims, 'aud')),
  claim('azp-wrong', CORE, 'low', (claims) => ({ ...claims, aud: [claims['aud'], 'another-app'], azp: 'another-app' })),
  claim('expired', CORE, 'high', (claims) => {
    const now = claims['iat'] as number
    return { ...claims, iat: now - LONG_AGO - 300, auth_time: now - LONG_AGO - 300, exp: now - LONG_AGO }
  }),
  claim('exp-missing', CORE, 'medium', (claims) => without(claims, 'exp')),
  claim('not-yet-valid', 'RFC 7519 §4.1.5', 'low', (claims) => ({
    ...claims,
    nbf: (claims['iat'] as number) + LONG_AGO,
  })),
  claim('sub-missing', 'OpenID Connect Core §2', 'medium', (claims) => without(claims, 'sub')),
  forged('alg-none', 'RFC 8725 §3.1', 'high', {
    sign: async (claims) => `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`,
  }),
  // ATTACK: the public key is known to everybody; who takes it for the secret of an HMAC believes anybody
  forged('key-confusion', 'RFC 8725 §2.1', 'high', {
    sign: (claims, bench) => bench.sign(claims, { alg: 'HS256' }, Buffer.from(pem(bench))),
  }),
  forged('key-confusion-trimmed', 'RFC 8725 §2.1', 'high', {
    sign: (claims, bench) => bench.sign(claims, { alg: 'HS256' }, Buffer.from(pem(bench).trim())),
  }),
  // Core §3.1.3.7 (6): over TLS from the token endpoint the signature may be left unlooked at
  forged('signature-of-another-key', CORE, 'low', { sign: byStranger(async () => ({})) }),
  readingSignatures('signature-empty', CORE, async (claims, bench) => `${part(header(bench))}.${part(claims)}.`),
  readingSignatures(
    'key-in-header',
    'RFC 8725 §3.10',
    byStranger(async (bench) => ({ kid: 'in-header', jwk: await strangeJwk(bench) })),
  ),
  readingSignatures(
    'key-by-address',
    'RFC 8725 §3.10',
    byStranger(async ({ issuer }) => ({ kid: 'elsewhere', jku: `${issuer}/strange-jwks` })),
  ),
  {
    code: 'userinfo-of-another',
    section: 'OpenID Connect Core §5.3.2',
    severity: 'high',
    async run(bench, see) {
      const { browser, attempt } = await signInBy(bench, { userinfo: () => personClaims(BORIS) })
      if (!attempt.userinfoAsked) {
        const right = await signInRight(bench)
        return right.attempt.userinfoAsked
          ? { result: 'inconclusive', note: 'the app asked for userinfo in one sign-in and not in the other' }
          : { result: 'not-applicable', note: 'the app does not ask for userinfo' }
      }
      return trialOf((await see(browser)).who)
    },
  },
]
