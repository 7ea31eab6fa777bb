/** How values go to PostgreSQL and come back, so that rooms meet what they know from SQLite. */
import type { CustomTypesConfig } from 'pg'
import { refuseTooLarge } from '../too-large.ts'

/** What PostgreSQL's `pg_type` calls the types that our tables and their sums and counts have. */
const BOOL = 16
const INT8 = 20
const INT2 = 21
const INT4 = 23
const TEXT = 25
const FLOAT4 = 700
const FLOAT8 = 701
const VARCHAR = 1043
const NUMERIC = 1700

/** PostgreSQL's text has no NUL: it is written as two characters, and the first of the two as well. */
const NUL = '\u0000'
const MARK = '\u0001'
const TO_WRITE = new RegExp(`[${NUL}${MARK}]`, 'g')
const WRITTEN = new RegExp(`${MARK}[01]`, 'g')

export const written = (text: string): string =>
  text.includes(NUL) || text.includes(MARK)
    ? text.replace(TO_WRITE, (character) => (character === NUL ? `${MARK}0` : `${MARK}1`))
    : text

const read = (text: string): string =>
  text.includes(MARK) ? text.replace(WRITTEN, (pair) => (pair === `${MARK}0` ? NUL : MARK)) : text

/** A `boolean` is 0 or 1, in both directions; an integer beyond 2^53 is neither written nor read. */
export const bound = (parameters: readonly unknown[]): unknown[] =>
  parameters.map((value) => {
    if (typeof value === 'string') return written(value)
    if (typeof value === 'boolean') return value ? 1 : 0
    refuseTooLarge(value)
    return value === undefined ? null : value
  })

function whole(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new RangeError(`a stored integer is too large to be read: ${text}`)
  return number
}

const PARSERS = new Map<number, (text: string) => unknown>([
  [BOOL, (text) => (text === 't' ? 1 : 0)],
  [INT8, whole],
  [INT2, Number],
  [INT4, Number],
  [FLOAT4, Number],
  [FLOAT8, Number],
  [NUMERIC, Number],
  [TEXT, read],
  [VARCHAR, read],
])
const asItIs = (text: string) => text

export const types: CustomTypesConfig = {
  getTypeParser: ((oid: number) => PARSERS.get(oid) ?? asItIs) as CustomTypesConfig['getTypeParser'],
}
