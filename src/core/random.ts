/** Randomness enters the house here and nowhere else. */
import { randomBytes as nodeRandomBytes, randomInt as nodeRandomInt } from 'node:crypto'

export const randomBytes = (length: number): Buffer => nodeRandomBytes(length)

/** An unguessable identifier: `bytes` random bytes as base64url (16 bytes, 22 characters, by default). */
export const randomId = (bytes = 16): string => nodeRandomBytes(bytes).toString('base64url')

/** A uniformly distributed integer, 0 ≤ n < below. */
export const randomInt = (below: number): number => nodeRandomInt(below)
