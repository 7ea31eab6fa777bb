/** Whoever comes to an app behind a proxy without coming through it (docs/forward-auth.md). */
import { CompactSign, exportJWK } from 'jose'
import { randomId } from '#core/random'
import type { Browser, Stop } from '../browser.ts'
import { type Bench, type Desk, type Seeing, Stuck, stuckAt, type Trial } from '../kind.ts'
import type { ProbeKey } from '../material.ts'
import { ALMA, type ProbePerson } from '../person.ts'

export type Headers = Readonly<Record<string, string>>
type Claims = Readonly<Record<string, unknown>>

export interface ForwardBench extends Bench {
  readonly desk: Desk
  readonly key: ProbeKey
  /** What the gateway would say of the person, without the token. */
  plainHeaders(person: ProbePerson): Headers
  rightClaims(): Claims
  sign(claims: Claims, header?: Claims, key?: ProbeKey['key'] | Uint8Array): Promise<string>
  /** Whether somebody is in who has no token at all; looked at once. */
  believesHeaders(see: Seeing): Promise<boolean>
}

/** As `forward-auth` signs it: RFC 8725 §3.11. */
const TYPE = 'portico-forward-auth+jwt'
export const JWT_HEADER = 'x-portico-jwt'
const LIFE = 60

export async function openForwardAuth(desk: Desk): Promise<ForwardBench> {
  const { app, ours, material, clock, target, through } = desk
  const key = material.keys.find(({ alg }) => alg === 'RS256')!
  const jwk = { ...(await exportJWK(key.publicKey)), kid: key.kid, alg: key.alg, use: 'sig' }
  const audience = (through ?? target).origin
  const own = app.forwardAuth?.headers ?? []
  let believes: Promise<boolean> | undefined
  const bench: ForwardBench = {
    desk,
    key,
    values: { issuer: ours, jwks_uri: `${ours}/oauth2/jwks`, audience },
    answer: async ({ url: { pathname } }) => (pathname === '/oauth2/jwks' ? { body: { keys: [jwk] } } : undefined),

    plainHeaders({ username, name, mail }) {
      const fields = { user: username, name, email: mail, groups: '' }
      const told = { 'remote-user': username, 'remote-name': name, 'remote-email': mail, 'remote-groups': '' }
      return {
        ...told,
        ...Object.fromEntries(own.map(({ name: header, field }) => [header.toLowerCase(), fields[field]])),
      }
    },

    rightClaims() {
      const now = Math.floor(clock.now() / 1000)
      return {
        iss: ours,
        aud: audience,
        sub: ALMA.id,
        sid: randomId(),
        iat: now,
        exp: now + LIFE,
        preferred_username: ALMA.username,
        name: ALMA.name,
        email: ALMA.mail,
        email_verified: true,
      }
    },

    sign: (claims, header = {}, signer = key.key) =>
      new CompactSign(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: TYPE, ...header })
        .sign(signer),

    believesHeaders(see) {
      believes ??= see(desk.browser(bench.plainHeaders(ALMA))).then(({ who }) => who !== 'nobody')
      return believes
    },
  }
  return bench
}

/** As the proxy would send it on. Throws `Stuck`. */
export async function enterRight(bench: ForwardBench): Promise<{ browser: Browser; landed: Stop }> {
  const { desk } = bench
  const token = await bench.sign(bench.rightClaims())
  const browser = desk.browser({ ...bench.plainHeaders(ALMA), [JWT_HEADER]: token })
  const landed = await browser.open(desk.target)
  if (landed.end !== 'page') throw stuckAt(landed, 'a page')
  if (landed.status >= 400)
    throw new Stuck(
      'headers-refused',
      `${landed.url.href} answered ${landed.status} to the right headers and token: the test copy has to believe the probe as its issuer`,
    )
  return { browser, landed }
}

/** Through the proxy nobody has signed in, so nothing of the app may come. */
export async function throughTrial(
  { desk }: ForwardBench,
  headers: Headers,
  judge: (page: { status: number; text: string }) => Trial,
): Promise<Trial> {
  if (!desk.through) return { result: 'not-applicable', note: 'give --through with the address that people use' }
  const stop = await desk.browserThrough(headers).open(desk.through)
  if (stop.end === 'failed')
    return { result: 'inconclusive', note: `${desk.through.origin} does not answer: ${stop.why}` }
  // to where people sign in
  return stop.end === 'page' && stop.status < 300 ? judge(stop) : { result: 'refused' }
}
