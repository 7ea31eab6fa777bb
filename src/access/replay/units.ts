/** Counts per person and day, or per session, while receipts go by. */
import { hours, type Instant } from '#core/clock'

export type By = 'day' | 'shift'

/** How often people were asked, and how often they would have been. */
export interface Times {
  readonly before: number
  readonly after: number
}

export interface Units {
  /** The unit exists, and `times` are added to its count: a day on which somebody was never asked counts as well. */
  add(person: string, session: unknown, at: Instant, before: number, after: number): void
  passed(at: Instant): void
  end(): void
}

/** A day is long over by then, and so is a session in which nothing happens. */
const OVER = hours(36)
const DAY = hours(24)

interface Unit {
  last: Instant
  before: number
  after: number
}

/** `close` hears of each unit's count once. A day is one of UTC. A shift is a session, from sign-in to its end. */
export function createUnits(by: By, close: (times: Times) => void): Units {
  // in one map: a map for each of thousands of people takes longer to walk than all that is in them
  const open = new Map<string, Unit>()
  return {
    add(person, session, at, before, after) {
      if (by === 'shift' && session === undefined) return
      const key = `${by === 'day' ? Math.floor(at / DAY) : session} ${person}`
      const unit = open.get(key)
      if (!unit) open.set(key, { last: at, before, after })
      else {
        if (at > unit.last) unit.last = at
        unit.before += before
        unit.after += after
      }
    },
    passed(at) {
      for (const [key, unit] of open) {
        if (at - unit.last <= OVER) continue
        open.delete(key)
        close(unit)
      }
    },
    end() {
      for (const unit of open.values()) close(unit)
      open.clear()
    },
  }
}
