/** Randomness enters the house here and nowhere else. */
import { randomBytes as nodeRandomBytes, randomFillSync } from 'node:crypto'

export const randomBytes = (length: number): Buffer => nodeRandomBytes(length)

/** Filled at once, because a call for a few bytes costs as much as one for many; no byte is given out twice. */
const pool = Buffer.allocUnsafe(8192)
let used = pool.length

/** Where the next `bytes` of the pool begin. */
function take(bytes: number): number {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return used - bytes
}

/** An unguessable identifier: `bytes` random bytes, at most 64, as base64url (16 bytes, 22 characters, by default). */
export function randomId(bytes = 16): string {
  if (bytes > 64) throw new RangeError('an identifier of more than 64 bytes')
  const from = take(bytes)
  return pool.toString('base64url', from, from + bytes)
}

/** 0 ≤ n < 2^40, uniformly: what a reference holds (`core/reference.ts`). */
export const randomNumber = (): number => pool.readUIntBE(take(5), 5)
