/** A person as another directory tells of them. */
import type { Instant } from '#core/clock'
import type { Language } from './person.ts'

/** Somebody as another directory describes them; the host keeps the mirror of it. */
export interface UpstreamPerson {
  /** Stable for ever in that directory, whatever the person is renamed to. */
  readonly upstreamId: string
  /** All names this entry has for signing in; the first is the usual one. */
  readonly usernames: readonly [string, ...string[]]
  readonly name: string
  readonly givenName?: string
  readonly familyName?: string
  readonly mail?: string
  /** The directory says that it has seen mail arrive there. */
  readonly mailVerified?: boolean
  /**
   * Name to texts; for telling that somebody is the same person, and for policies where the directory is one of our own.
   * Undefined when they could not be found out.
   */
  readonly attributes?: Readonly<Record<string, readonly string[]>>
  readonly language?: Language
  /** Switched off there, or past its end. Undefined when the directory does not say; then what it said last stays. */
  readonly disabled?: boolean
  /** Undefined when they could not be found out; then the last known ones stay. */
  readonly groups: readonly string[] | undefined
  /** When anything about the entry was changed last, a password among it. Undefined where the directory does not tell. */
  readonly changedAt?: Instant
}
