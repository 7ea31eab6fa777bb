/** Proofs of possession (RFC 9449): a token that is bound to a key of its client is worth nothing without that key. */
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { isCanonical } from '#apis'
import type { Keys } from '#keys'

type Features = NonNullable<Configuration['features']>

/**
 * Every proof carries a nonce of ours (RFC 9449 §8): so none can be made beforehand by whoever has the key for a moment, and
 * no client is refused for a clock that is wrong. The nonces come from the master key: every process takes those of the others.
 */
export function dPoP(keys: Pick<Keys, 'derive'>): NonNullable<Features['dPoP']> {
  return {
    enabled: true,
    nonceSecret: keys.derive('dpop-nonce'),
    // asked of each proof before it is read
    requireNonce(ctx: KoaContextWithOIDC) {
      if (!isCanonical(ctx.get('dpop'))) throw new errors.InvalidDpopProof('DPoP proof is not canonical base64url')
      return true
    },
    allowReplay: false,
  }
}
