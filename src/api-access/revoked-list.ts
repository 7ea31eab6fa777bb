/**
 * What gateways that check JWTs by themselves have to know beside them: a signed list of what was revoked before its time
 * (`GET /oauth2/revoked`), compact, and asked for every few seconds with `If-None-Match`. The format stands in docs/apis.md.
 */
import { type RevokedSet, shortId } from '#apis'
import { type Instant, minutes } from '#core/clock'
import type { BareHandler } from '#http'
import type { ApiAccessOptions } from './options.ts'

/** RFC 8725 §3.11: a type of its own, which is no token. */
export const LIST_TYPE = 'portico-revoked+jwt'
/** Signed anew after so long, so that a list of long ago is told from one that nothing was added to. */
const SIGN_AGAIN = minutes(5)
const LIFE = minutes(60)

interface Made {
  readonly set: RevokedSet
  readonly at: Instant
  readonly etag: string
  readonly text: string
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

export function createRevokedList({ issuer, keys, clock, revocations }: ApiAccessOptions): BareHandler {
  let made: Made | undefined

  async function make(set: RevokedSet, at: Instant): Promise<Made> {
    const living = set.entries.filter(({ until }) => until > at)
    const until = (kind: string) =>
      Object.fromEntries(
        living.filter((one) => one.kind === kind).map(({ id, at }) => [shortId(id), Math.floor(at / 1000)]),
      )
    const plain = (kind: string) => living.filter((one) => one.kind === kind).map(({ id }) => shortId(id))
    const signer = keys.signing.signers()[0]!
    const iat = Math.floor(at / 1000)
    const claims = {
      iss: issuer,
      iat,
      exp: iat + LIFE / 1000,
      tokens: plain('token'),
      grants: plain('grant'),
      clients: until('client'),
      keys: until('key'),
      subjects: until('subject'),
      sessions: until('session'),
    }
    const signed = `${encoded({ alg: signer.alg, kid: signer.kid, typ: LIST_TYPE })}.${encoded(claims)}`
    const text = `${signed}.${Buffer.from(await signer.sign(Buffer.from(signed))).toString('base64url')}`
    return { set, at, etag: `"${shortId(text)}"`, text }
  }

  async function current(): Promise<Made> {
    const set = await revocations.current()
    const now = clock.now()
    if (made?.set === set && now >= made.at && now - made.at < SIGN_AGAIN) return made
    made = await make(set, now)
    return made
  }

  return {
    prefix: '/oauth2/revoked',
    async answer(request) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' } }
      const { etag, text } = await current()
      const headers = { etag, 'cache-control': 'public, max-age=5' }
      if (request.headers['if-none-match'] === etag) return { status: 304, headers }
      return { status: 200, headers: { ...headers, 'content-type': 'application/jwt' }, body: text }
    },
  }
}
