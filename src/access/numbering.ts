/**
 * Receipt numbers, shuffled: rows are appended in order, and a reference is the row's number under a keyed permutation
 * of 40 bits. So a reference needs no index of its own (a random one would touch a page of it at every sign-on), two
 * can never be the same, and none tells how many came before.
 */

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
