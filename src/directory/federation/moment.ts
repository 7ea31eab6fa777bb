/** When somebody signed in at a provider that tells whole seconds. */
import type { Instant } from '#core/clock'

/**
 * `second` is the beginning of the second that the provider names, `left` when the browser went there. Of a second in which
 * both lie the later part is meant: whoever was sent there to sign in did not do it before.
 */
export const signedInAt = (second: Instant, left: Instant): Instant =>
  left > second && left - second < 1000 ? left : second
