/** Integers that are stored and could not be read again. */

/** Throws `RangeError` for an integer beyond 2^53, in whichever form; anything else passes. */
export function refuseTooLarge(value: unknown): void {
  const whole = typeof value === 'bigint' ? Number(value) : value
  if (typeof whole === 'number' && Number.isInteger(whole) && !Number.isSafeInteger(whole))
    throw new RangeError(`an integer is too large to be stored: ${value}`)
}
