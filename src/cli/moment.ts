/** Moments as people type them, and as they read them. */
import type { Clock, Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Arguments, Context } from './verb.ts'

/** `7d` ago, or a moment like `2026-11-22` or `2026-11-22T10:00:00Z`. */
export function moment(text: string, clock: Clock): Instant | undefined {
  const ago = parseDuration(text)
  if (ago !== undefined) return clock.now() - ago
  const at = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

/** `--since`, or `usual` where it is not given; undefined after saying what is wrong. */
export function sinceOf(args: Arguments, context: Context, usual = '7d'): Instant | undefined {
  const at = moment(args.flag('since') ?? usual, context.clock)
  if (at === undefined) context.err(WRONG_MOMENT('since'))
  return at
}

export const WRONG_MOMENT = (name: string): string =>
  `--${name}: expected a length of time like 7d, or a moment like 2026-11-22T10:00:00Z`

/** To the second, UTC. */
export const time = (at: Instant): string => new Date(at).toISOString().slice(0, 19).concat('Z')

/** `--since` and `--until`; undefined where one is no moment, which has been said then. */
export function spanOf(args: Arguments, context: Context): { since?: Instant; until?: Instant } | undefined {
  const span: { since?: Instant; until?: Instant } = {}
  for (const name of ['since', 'until'] as const) {
    const written = args.flag(name)
    if (written === undefined) continue
    const at = moment(written, context.clock)
    if (at === undefined) {
      context.err(WRONG_MOMENT(name))
      return undefined
    }
    span[name] = at
  }
  return span
}
