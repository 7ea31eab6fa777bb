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
  const open = new Map<string, Map<unknown, Unit>>()
  return {
    add(person, session, at, before, after) {
      if (by === 'shift' && session === undefined) return
      const key = by === 'day' ? Math.floor(at / DAY) : session
      let own = open.get(person)
      if (!own) {
        own = new Map()
        open.set(person, own)
      }
      const unit = own.get(key)
      if (!unit) own.set(key, { last: at, before, after })
      else {
        if (at > unit.last) unit.last = at
        unit.before += before
        unit.after += after
      }
    },
    passed(at) {
      for (const [person, own] of open) {
        for (const [key, unit] of own) {
          if (at - unit.last <= OVER) continue
          own.delete(key)
          close(unit)
        }
        if (own.size === 0) open.delete(person)
      }
    },
    end() {
      for (const own of open.values()) for (const unit of own.values()) close(unit)
      open.clear()
    },
  }
}
