/**
 * Receipt numbers, shuffled: rows are appended in order, and a reference is the row's number under a keyed permutation
 * of 40 bits. So a reference needs no index of its own (a random one would touch a page of it at every sign-on), two
 * can never be the same, and none tells how many came before.
 */

import type { Instant } from '#core/clock'
import { REFERENCE_LIMIT } from '#core/reference'

/** Numbers go on from here, at this pace: half a thousand a second, for longer than a database lives. */
const EPOCH = Date.UTC(2026, 0, 1)
const PACE = 2

/**
 * The least number of a process that starts at `at`. INVARIANT: a restored database never gives out a number again that it gave
 * out after its backup was made: those were given before `at`, and fewer than 500 a second on the average. A clock that is far
 * ahead (2060) must not use up the numbers: then they only count on.
 */
export const floorOf = (at: Instant): number => {
  const floor = Math.floor((at - EPOCH) / PACE)
  return floor > 0 && floor < REFERENCE_LIMIT / 2 ? floor : 1
}

const HALF = 0xfffff
const ROUNDS = 6

/** `key` is at least 24 bytes. A Feistel network: whatever the round function, it can be undone. */
export function createNumbering(key: Buffer): { shuffle(id: number): number; restore(shuffled: number): number } {
  const keys = Array.from({ length: ROUNDS }, (_, round) => key.readUInt32LE(round * 4))
  const mix = (half: number, round: number): number => {
    let x = Math.imul(half ^ keys[round]!, 0x9e3779b1)
    x = Math.imul(x ^ (x >>> 15), 0x85ebca6b)
    return (x ^ (x >>> 13)) & HALF
  }
  return {
    shuffle(id) {
      let [left, right] = [Math.floor(id / (HALF + 1)) & HALF, id & HALF]
      for (let round = 0; round < ROUNDS; round++) [left, right] = [right, left ^ mix(right, round)]
      return left * (HALF + 1) + right
    },
    restore(shuffled) {
      let [left, right] = [Math.floor(shuffled / (HALF + 1)) & HALF, shuffled & HALF]
      for (let round = ROUNDS - 1; round >= 0; round--) [left, right] = [right ^ mix(left, round), left]
      return left * (HALF + 1) + right
    },
  }
}
