/** Lengths of time as people write them in policies and settings: `0s`, `90s`, `15m`, `12h`, `30d`. */
import type { Millis } from './clock.ts'

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const WRITTEN = /^(\d{1,9})([smhd])$/
/** 100 years: an instant so far from now is still a date, and still counted exactly. */
const LONGEST = 36_525 * UNITS.d

/** Milliseconds, or undefined when the text is not a duration or one of more than 100 years. */
export function parseDuration(text: string): Millis | undefined {
  const match = WRITTEN.exec(text)
  const length = match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : LONGEST + 1
  return length <= LONGEST ? length : undefined
}

/** The exact spelling in the largest unit that divides it, whole seconds at least: 5400000 is `90m`, 86400000 is `1d`. */
export function formatDuration(length: Millis): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (length >= UNITS[unit] && length % UNITS[unit] === 0) return `${length / UNITS[unit]}${unit}`
  }
  return `${Math.ceil(length / 1000)}s`
}
