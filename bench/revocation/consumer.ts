/** A gateway that checks JWTs by itself and polls the list of what was revoked, by the words of docs/apis.md alone. */
import { createHash } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'

interface List {
  readonly tokens: readonly string[]
  readonly grants: readonly string[]
  readonly clients: Readonly<Record<string, number>>
  readonly keys: Readonly<Record<string, number>>
  readonly subjects: Readonly<Record<string, number>>
  readonly sessions: Readonly<Record<string, number>>
}

const EMPTY: List = { tokens: [], grants: [], clients: {}, keys: {}, subjects: {}, sessions: {} }
const short = (id: string): string => createHash('sha256').update(id).digest('base64url').slice(0, 16)

export interface Consumer {
  /** Asks once, with the tag of the list that it has; answers whether it is another one now. */
  poll(): Promise<boolean>
  refuses(token: string): boolean
  /** How long the list is, as sent. */
  bytes(): number
}

export async function createConsumer(issuer: string): Promise<Consumer> {
  const jwks = createLocalJWKSet((await (await fetch(`${issuer}/oauth2/jwks`)).json()) as JSONWebKeySet)
  let list = EMPTY
  let etag: string | undefined
  let length = 0

  return {
    async poll() {
      const response = await fetch(`${issuer}/oauth2/revoked`, { headers: etag ? { 'if-none-match': etag } : {} })
      const text = await response.text()
      if (response.status === 304) return false
      const { payload } = await jwtVerify(text, jwks, { issuer, typ: 'portico-revoked+jwt' })
      list = payload as unknown as List
      etag = response.headers.get('etag') ?? undefined
      length = text.length
      return true
    },
    refuses(token) {
      const { jti, iat = 0, client_id, sub, sid, grant_id, client_key, origin } = decodeJwt(token) as Claims
      const until = (among: Readonly<Record<string, number>>, id: string | undefined) =>
        id !== undefined && iat <= (among[short(id)] ?? -1)
      return (
        [jti, origin?.jti].some((id) => id !== undefined && list.tokens.includes(short(id))) ||
        (grant_id !== undefined && list.grants.includes(short(grant_id))) ||
        until(list.clients, client_id) ||
        until(list.clients, origin?.client_id) ||
        until(list.keys, client_key && `${client_id} ${client_key}`) ||
        until(list.subjects, sub) ||
        until(list.sessions, sid)
      )
    },
    bytes: () => length,
  }
}

interface Claims {
  readonly jti?: string
  readonly iat?: number
  readonly client_id?: string
  readonly sub?: string
  readonly sid?: string
  readonly grant_id?: string
  readonly client_key?: string
  readonly origin?: { readonly jti: string; readonly client_id: string }
}
