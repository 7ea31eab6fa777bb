/** What a cause is: one member of `causes/list.ts`. */
import type { Millis } from '#core/clock'
import type { Failure } from './seen.ts'

export interface Found {
  /** What is wrong, as one sentence. */
  readonly cause: string
  /**
   * What to do about it: settings of the app, and commands, which begin with `portico`; the first is the usual one.
   * INVARIANT: nothing that came with the request stands in it, but words that the protocols define: it is there to be copied.
   */
  readonly fix: readonly string[]
  /** It fits what was seen, but the mistake itself was out of sight. */
  readonly likely?: true
}

export interface Cause {
  /** Kebab-case; never changes its meaning. */
  readonly code: string
  /** How soon it is written down again after it has been; the usual throttle unless given. */
  readonly again?: Millis
  /** Undefined where it is something else. */
  find(failure: Failure, issuer: string): Found | undefined
}
