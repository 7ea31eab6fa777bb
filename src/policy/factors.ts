/** What each factor is made of. To add one: a row here, and its member in the factors room. */

/** NIST SP 800-63B: something you know, have, are. */
export type Kind = 'knowledge' | 'possession' | 'inherence'

interface FactorRow {
  readonly bit: number
  readonly kind: Kind
  /** Everybody may have it, so it is offered wherever it would help; the others only where a strength lists them. */
  readonly common: boolean
  /** A session can begin with it. A code alone shows that somebody has a telephone, and not who signs in. */
  readonly begins?: true
  /** Not yet: the word is known, but nobody can have one in this version. */
  readonly later?: true
}

/** In the order in which they are offered. A recovery code is a look-up secret: something you have on paper. */
const FACTORS: Readonly<Record<string, FactorRow>> = Object.freeze({
  passkey: { bit: 1, kind: 'possession', common: true, begins: true },
  password: { bit: 2, kind: 'knowledge', common: true, begins: true },
  totp: { bit: 4, kind: 'possession', common: true },
  'recovery-code': { bit: 8, kind: 'possession', common: true },
  badge: { bit: 16, kind: 'possession', common: false, later: true },
  pin: { bit: 32, kind: 'knowledge', common: false, later: true },
  // what another identity provider vouches for; by itself no more than that somebody knows something there
  upstream: { bit: 64, kind: 'knowledge', common: false, begins: true },
})

/** The factors that are given here. */
export const OWN_FACTORS = ['passkey', 'password', 'totp', 'recovery-code', 'badge', 'pin'] as const
/** The factors that a strength may list. */
export const FACTOR_NAMES = [...OWN_FACTORS, 'upstream'] as const

/** True for a factor that somebody can have today. */
export const givable = (name: string): boolean => FACTORS[name]?.later === undefined

/** What a passkey adds when its authenticator checked the person, and when its key cannot be copied. */
export const USER_VERIFIED = 1 << 10
export const HARDWARE = 1 << 11
/** A second factor that was verified on this device before, and is remembered. */
export const REMEMBERED = 1 << 12
/** What another identity provider adds: a second kind of factor, and what no phishing site gets, and no copy of a key. */
const VOUCHED_MORE = 1 << 13
export const VOUCHED_RESISTANT = 1 << 14
export const VOUCHED_HARDWARE = 1 << 15

const UPSTREAM = FACTORS['upstream']!.bit
/** Each with what the ones before it are: what an administrator maps to `phishing-resistant` is two factors as well. */
const VOUCHED: Readonly<Record<string, number>> = Object.freeze({
  any: UPSTREAM,
  'two-factors': UPSTREAM | VOUCHED_MORE,
  'phishing-resistant': UPSTREAM | VOUCHED_MORE | VOUCHED_RESISTANT,
  hardware: UPSTREAM | VOUCHED_MORE | VOUCHED_RESISTANT | VOUCHED_HARDWARE,
})

/** What it is worth here that another provider vouches for a built-in strength; 0 for every other word. */
export const vouchedBits = (assurance: string): number => (Object.hasOwn(VOUCHED, assurance) ? VOUCHED[assurance]! : 0)

/** The factors with which a session can begin. */
export const BEGINNERS: number = Object.values(FACTORS).reduce((bits, row) => (row.begins ? bits | row.bit : bits), 0)

export const PASSKEY = FACTORS['passkey']!.bit
const KNOWLEDGE = bitsOf('knowledge')
const POSSESSION = bitsOf('possession') | REMEMBERED
const EVERY = KNOWLEDGE | POSSESSION
const EVERY_FACTOR = EVERY & ~REMEMBERED
const EVERY_OWN = EVERY_FACTOR & ~UPSTREAM

function bitsOf(kind: Kind): number {
  return Object.values(FACTORS).reduce((bits, row) => (row.kind === kind ? bits | row.bit : bits), 0)
}

/** The bits of one factor, 0 for a name that is none: it then counts for nothing. */
export const bitOf = (name: string): number => (Object.hasOwn(FACTORS, name) ? FACTORS[name]!.bit : 0)

/** Everything that one person can give today. */
export const mostGivable = (): number =>
  FACTOR_NAMES.filter(givable).reduce((bits, name) => bits | bitOf(name), USER_VERIFIED | HARDWARE)

/** How many kinds the given factors cover. A person-verified passkey is possession and one more (SP 800-63B 2.2.2). */
export const kindsOf = (bits: number): number =>
  (bits & KNOWLEDGE ? 1 : 0) +
  (bits & POSSESSION ? 1 : 0) +
  (bits & USER_VERIFIED ? 1 : 0) +
  (bits & VOUCHED_MORE ? 1 : 0)

/** True when at least one factor was really given: a remembered device alone is none. */
export const anyOf = (bits: number): boolean => (bits & EVERY_FACTOR) !== 0

/** The factors that could be asked for: the common ones, and those in `listed`. */
export function offered(listed: number): { name: string; bits: number }[] {
  return Object.entries(FACTORS)
    .filter(([, row]) => row.common || (listed & row.bit) !== 0)
    .map(([name, row]) => ({ name, bits: name === 'passkey' ? row.bit | USER_VERIFIED | HARDWARE : row.bit }))
}

/** Every set of factors that can be given here, and of what a passkey adds. */
export function everySet(): number[] {
  const given = Array.from({ length: EVERY_OWN + 1 }, (_, bits) => bits)
  return given.flatMap((bits) =>
    bits & PASSKEY ? [bits, bits | USER_VERIFIED, bits | HARDWARE, bits | USER_VERIFIED | HARDWARE] : [bits],
  )
}
