/** Opaque access tokens for doors that are asked about each call: what introspection would say, without a client. */
import { type AccessToken, type AuthorizationDetail, readDetails, type Whence, whenceOf } from '#apis'
import type { Sessions } from '#sessions'
import type { State } from '#storage'
import { objectKey } from './grant-groups.ts'

/** What the engine writes of one (RFC 7662 §2.2 in its words). */
interface Stored {
  readonly kind: string
  readonly jti: string
  readonly clientId: string
  readonly accountId?: string
  readonly aud?: string | readonly string[]
  readonly scope?: string
  readonly rar?: readonly AuthorizationDetail[]
  readonly iat: number
  readonly exp: number
  readonly sessionUid?: string
  readonly grantId?: string
  readonly extra?: Whence & { readonly acr?: string; readonly auth_time?: number }
  readonly expiresWithSession?: boolean
  readonly jkt?: string
  readonly 'x5t#S256'?: string
}

const KINDS = ['ClientCredentials', 'AccessToken'] as const
/** Of the engine's tokens (`bitsOfOpaqueRandomness`). */
const SHAPE = /^[\w-]{20,128}$/

export interface OpaqueRooms {
  readonly state: Pick<State, 'keep'>
  readonly sessions: Pick<Sessions, 'recall'>
}

/**
 * INVARIANT: what is revoked, over, or of a session that has ended is not found, from the next request on: it is one row of
 * short-lived state, kept while nobody has written it.
 */
export function createOpaqueTokens({ state, sessions }: OpaqueRooms) {
  const kept = state.keep((value) => {
    const stored = JSON.parse(value) as Stored
    return (KINDS as readonly string[]).includes(stored.kind) ? { stored, token: tokenOf(stored) } : undefined
  })

  return async (value: string): Promise<AccessToken | undefined> => {
    if (!SHAPE.test(value)) return undefined
    for (const kind of KINDS) {
      const key = objectKey(kind, value)
      const found = kept.known(key) ?? (await kept.of(key))
      if (!found || found.stored.kind !== kind) continue
      const { expiresWithSession, sessionUid } = found.stored
      const ended = expiresWithSession && !(sessionUid && (await sessions.recall(sessionUid)))
      return ended ? undefined : found.token
    }
    return undefined
  }
}

function tokenOf(stored: Stored): AccessToken {
  const {
    jti,
    clientId,
    accountId,
    aud,
    scope,
    rar,
    iat,
    exp,
    sessionUid,
    grantId,
    extra,
    jkt,
    'x5t#S256': x5t,
  } = stored
  return {
    id: jti,
    client: clientId,
    subject: accountId ?? clientId,
    scopes: scope ? scope.split(' ') : [],
    details: readDetails(rar) ?? [],
    audience: typeof aud === 'string' ? aud : undefined,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000,
    ...whenceOf({ grant_id: grantId, ...extra, sid: sessionUid }),
    ...(jkt === undefined ? {} : { jkt }),
    ...(x5t === undefined ? {} : { x5t }),
    ...(extra?.acr === undefined ? {} : { acr: extra.acr }),
    ...(extra?.auth_time === undefined ? {} : { authTime: extra.auth_time * 1000 }),
  }
}
