/**
 * Challenges of factors whose answer carries one (WebAuthn Level 3 §13.4.3). Nothing is written when one is made: a
 * page that anybody may open must not fill the store. The nonce says itself that we made it, for which conversation and
 * until when; what is written is that it was spent.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '#core/clock'
import { randomBytes } from '#core/random'
import type { State } from '#storage'
import type { FactorKind } from './factor.ts'
import { CHALLENGE_LIFE } from './limits.ts'

/** When it ends, in milliseconds; random bytes; and the code over both, the kind and the conversation. 48 in all. */
const END_BYTES = 6
const RANDOM_BYTES = 18
const CODE_BYTES = 24
/** So many bytes as base64url: all characters count, so that there is one way only to write a nonce down. */
const NONCE = /^[A-Za-z0-9_-]{64}$/

export interface Challenges {
  make(kind: FactorKind, conversation: string): Uint8Array<ArrayBuffer>
  /**
   * INVARIANT: true once for each nonce that was made for this conversation and has not ended, whoever comes first,
   * right or wrong, over all processes.
   */
  spend(kind: FactorKind, answered: Answered, nonce: string): Promise<boolean>
  /** Whatever this person was asked until now is not asked any more. */
  voidAll(personId: string): Promise<void>
}

interface Answered {
  readonly conversation: string
  /** Whom the conversation is with, where that is known. */
  readonly personId?: string | undefined
}

const voidKey = (personId: string) => `factor-void:${personId}`

/** `key`: for this purpose only, and the same in every process. */
export function createChallenges({ state, clock, key }: { state: State; clock: Clock; key: Buffer }): Challenges {
  const codeOf = (made: Uint8Array, kind: FactorKind, conversation: string) =>
    createHmac('sha256', key).update(made).update(`${kind}:${conversation}`).digest().subarray(0, CODE_BYTES)

  return Object.freeze({
    make(kind: FactorKind, conversation: string) {
      const made = Buffer.concat([Buffer.alloc(END_BYTES), randomBytes(RANDOM_BYTES)])
      made.writeUIntBE(clock.now() + CHALLENGE_LIFE, 0, END_BYTES)
      return Uint8Array.from(Buffer.concat([made, codeOf(made, kind, conversation)]))
    },

    async spend(kind: FactorKind, { conversation, personId }: Answered, nonce: string) {
      if (!NONCE.test(nonce)) return false
      const bytes = Buffer.from(nonce, 'base64url')
      const made = bytes.subarray(0, END_BYTES + RANDOM_BYTES)
      // ATTACK: an invented nonce costs a hash, and no row
      if (!timingSafeEqual(bytes.subarray(made.length), codeOf(made, kind, conversation))) return false
      const end = made.readUIntBE(0, END_BYTES)
      const left = end - clock.now()
      if (left <= 0) return false
      const voided = personId === undefined ? undefined : await state.get(voidKey(personId))
      if (voided !== undefined && end - CHALLENGE_LIFE <= Number(voided)) return false
      // a clock that goes back makes a nonce live longer, and with it the mark that it was spent
      return state.add(`factor-spent:${nonce}`, '', { ttl: Math.max(left, CHALLENGE_LIFE) })
    },

    async voidAll(personId: string) {
      await state.set(voidKey(personId), String(clock.now()), { ttl: CHALLENGE_LIFE })
    },
  })
}
