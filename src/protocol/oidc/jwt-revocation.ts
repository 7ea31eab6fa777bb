/**
 * Revoking an access token that is a JWT (RFC 7009). The engine keeps none and says that it cannot (`unsupported_token_type`),
 * once it knows who asks: what it cannot, the list of revocations can.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { AccessTokens, Revocations } from '#apis'
import { minutes } from '#core/clock'

/** Clocks may differ by as much: the entry stays for longer than anybody takes the token. */
export const LONGER = minutes(5)

export function createJwtRevocation({ tokens, revocations }: { tokens: AccessTokens; revocations: Revocations }) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { route, client, params } = ctx.oidc ?? {}
    if (route !== 'revocation' || !client) return
    if ((ctx.body as { error?: string } | undefined)?.error !== 'unsupported_token_type') return
    const token = tokens.read(String(params?.['token']))
    if (typeof token === 'string' && token !== 'expired') return
    // RFC 7009 §2.1: only its own client; §2.2: whoever else asks, or too late, hears the same
    if (typeof token !== 'string' && token.client === client.clientId) {
      const until = token.expiresAt + LONGER
      await revocations.revoke({ kind: 'token', id: token.id, until }, client.clientId)
    }
    ctx.status = 200
    ctx.body = ''
  }
}
