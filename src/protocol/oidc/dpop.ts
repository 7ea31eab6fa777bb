/** Proofs of possession (RFC 9449): a token that is bound to a key of its client is worth nothing without that key. */
import { hkdfSync } from 'node:crypto'
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { isCanonical } from '#apis'
import { type Clock, minutes } from '#core/clock'
import { constantTimeEqual } from '#core/digest'
import type { Keys } from '#keys'

type Features = NonNullable<Configuration['features']>

/**
 * Every proof carries a nonce of ours (RFC 9449 §8): so none can be made beforehand by whoever has the key for a moment, and
 * no client is refused for a clock that is wrong. The nonces come from the master key: every process takes those of the others.
 */
export function dPoP(keys: Pick<Keys, 'derive'>): NonNullable<Features['dPoP']> {
  return {
    enabled: true,
    nonceSecret: secretOf(keys),
    // asked of each proof before it is read
    requireNonce(ctx: KoaContextWithOIDC) {
      if (!isCanonical(ctx.get('dpop'))) throw new errors.InvalidDpopProof('DPoP proof is not canonical base64url')
      return true
    },
    allowReplay: false,
  }
}

const secretOf = (keys: Pick<Keys, 'derive'>): Buffer => keys.derive('dpop-nonce')

/** A nonce is good in its minute and in the two before and after it. */
const STEP = minutes(1)
const GOOD = [-2, -1, 0, 1, 2]
/** The place of the one that clients are told to use next. */
const NEXT = 3

export interface Nonces {
  /** The one to use next. */
  next(): string
  isGood(nonce: string): boolean
}

/** The engine's own, which it keeps to itself (`test/flow/dpop-nonces.test.ts` compares them). */
export function createNonces(keys: Pick<Keys, 'derive'>, clock: Clock): Nonces {
  const secret = secretOf(keys)
  let [step, window]: [number, readonly string[]] = [Number.NaN, []]

  function nonceOf(number: number): string {
    const salt = Buffer.alloc(8)
    salt.writeBigInt64BE(BigInt(number))
    return Buffer.from(hkdfSync('sha256', secret, salt, 'DPoP', 32)).toString('base64url')
  }

  function now(): readonly string[] {
    const current = Math.floor(clock.now() / STEP)
    if (current !== step) [step, window] = [current, GOOD.map((apart) => nonceOf(current + apart))]
    return window
  }

  return {
    next: () => now()[NEXT]!,
    isGood: (nonce) => now().some((good) => constantTimeEqual(good, nonce)),
  }
}
