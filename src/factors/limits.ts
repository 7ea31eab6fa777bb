/** Every limit on guessing and its number. `docs/limits.md` says the same, and a test compares the two. */
import { type Millis, minutes, seconds } from '#core/clock'

export interface Limit {
  readonly tries: number
  readonly within: Millis
}

const quarter = minutes(15)

export const LIMITS = Object.freeze({
  /** Wrong passwords for one user name, from browsers that this person is not known in. */
  'password-unknown-device': { tries: 10, within: quarter },
  /** Wrong passwords for one user name, from browsers that this person is known in. */
  'password-known-device': { tries: 20, within: quarter },
  /** Wrong codes (TOTP and recovery codes together) for one person. */
  'code-unknown-device': { tries: 10, within: quarter },
  'code-known-device': { tries: 10, within: quarter },
  /** Wrong codes in one sign-in. */
  'code-conversation': { tries: 5, within: quarter },
  /** Wrong passwords and codes from one address (IPv4 address, IPv6 /64 network), whoever they were for. */
  'guess-address': { tries: 100, within: quarter },
  /** Passkey answers from one address that did not hold. */
  'passkey-address': { tries: 100, within: quarter },
  /** Wrong codes while a TOTP authenticator is being added. */
  'totp-enrolment': { tries: 5, within: minutes(10) },
} as const satisfies Record<string, Limit>)

export type LimitName = keyof typeof LIMITS

/** Beyond the tries of a person: one try per wait, and each wait is twice the one before, up to the longest. */
export const FIRST_WAIT: Millis = seconds(30)
export const LONGEST_WAIT: Millis = minutes(10)

export const CHALLENGE_LIFE: Millis = minutes(15)
export const ENROLMENT_LIFE: Millis = minutes(10)
export const RECOVERY_CODES = 10
export const MOST_PASSKEYS = 20
export const MOST_TOTPS = 5
export const LONGEST_PASSWORD = 1024
