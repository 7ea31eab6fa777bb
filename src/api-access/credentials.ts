/** The token that a call carries: in the Authorization header, once, and nowhere beside it. */
import type { IncomingMessage } from 'node:http'
import { Refusal } from '#core/refusal'

export interface Credentials {
  readonly scheme: 'Bearer' | 'DPoP'
  readonly token: string
}

/** RFC 6750 §2.1 (b64token), RFC 9449 §7.1. */
const HEADER = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)$/i
/** Of each node keeps the first, and the API perhaps the last. */
const ONCE = ['authorization', 'dpop']

/**
 * Undefined where none was sent. Throws Refusal `request-refused` for what two readers could understand differently.
 * ATTACK: the token that we look at must be the one that the API looks at: RFC 6750 §2 takes it in the query and in forms
 * too, and servers differ in which of two headers counts.
 */
export function credentialsOf(
  { rawHeaders, headers }: Pick<IncomingMessage, 'rawHeaders' | 'headers'>,
  query: string,
): Credentials | undefined {
  for (const name of ONCE) {
    let seen = 0
    for (let i = 0; i < rawHeaders.length; i += 2)
      if (rawHeaders[i]!.length === name.length && rawHeaders[i]!.toLowerCase() === name) seen++
    if (seen > 1) throw new Refusal('request-refused', `header ${name} stands there twice`)
  }
  if (query !== '' && hasToken(query)) throw new Refusal('request-refused', 'access token in the query')
  const { authorization } = headers
  if (authorization === undefined) return undefined
  const [, scheme, token] = HEADER.exec(authorization) ?? []
  if (scheme === undefined || token === undefined) return undefined
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token }
}

const hasToken = (query: string): boolean =>
  (query.includes('%') || /access.token/i.test(query)) &&
  [...new URLSearchParams(query.replaceAll(';', '&')).keys()].some((name) => /^[ ._[]*access[ ._]token/i.test(name))
