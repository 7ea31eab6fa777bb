/** What the short ways of codes and of refresh tokens have in common: both stand for somebody's grant to an app. */
import type { Instant } from '#core/clock'
import { LIFETIMES } from '../lifetimes.ts'
import type { Rooms } from './way.ts'

type Engine = Rooms['engine']
export type Code = InstanceType<Engine['AuthorizationCode']>
export type Refresh = InstanceType<Engine['RefreshToken']>
export type Grant = InstanceType<Engine['Grant']>

/** The living grant that it stands for, where all three are of one app and one person. */
export async function grantOf(
  { Grant }: Engine,
  { grantId, accountId }: Code | Refresh,
  clientId: string,
): Promise<Grant | undefined> {
  const grant = grantId === undefined ? undefined : await Grant.find(grantId)
  return grant?.isValid && grant.clientId === clientId && grant.accountId === accountId ? grant : undefined
}

/** What changes the tokens, or what they are bound to; only some of it can stand in either. */
const UNUSUAL = ['dpopJkt', 'jkt', 'x5t#S256', 'attestationJkt', 'rar', 'resource']

/** Nothing in it that changes what the tokens say or how they are bound, beyond scopes of which one is `openid`. */
export function isPlain(issued: Code | Refresh, grant: Grant): boolean {
  const single = Object.keys(issued.claims ?? {}).length + grant.getRejectedOIDCClaims().length
  const isUnusual = UNUSUAL.some((name) => (issued as unknown as Record<string, unknown>)[name] !== undefined)
  return single === 0 && !isUnusual && (issued.scope?.split(' ').includes('openid') ?? false)
}

/** OIDC Core §2, and §12.2 where it is not the first. */
export function idTokenClaims(issued: Code | Refresh, { iss, aud, now }: { iss: string; aud: string; now: Instant }) {
  const { accountId: sub, acr, amr, authTime: auth_time, nonce, sid } = issued
  const iat = Math.floor(now / 1000)
  return { sub, acr, amr, auth_time, nonce, sid, aud, exp: iat + LIFETIMES.IdToken, iat, iss }
}

/** False: a copy was sooner. */
export const spend = (issued: Code | Refresh): Promise<boolean> =>
  issued.consume().then(
    () => true,
    (error) => {
      if ((error as { error?: string }).error === 'invalid_grant') return false
      throw error
    },
  )
