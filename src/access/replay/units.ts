/** Counts per person and day, or per session, while receipts go by. */
import { type Instant, minutes } from '#core/clock'

export type By = 'day' | 'shift'

export interface Units {
  /** The unit exists, and `times` are added to its count: a day on which somebody was never asked counts as well. */
  add(person: string, session: Instant | undefined, at: Instant, times: number): void
  passed(at: Instant): void
  end(): void
}

/** A day is long over by then, and so is a session in which nothing happens. */
const OVER = minutes(36 * 60)

/** `close` hears of each unit's count once. A day is one of UTC. A shift is a session, from sign-in to its end. */
export function createUnits(by: By, close: (times: number) => void): Units {
  const open = new Map<string, { last: Instant; times: number }>()
  return {
    add(person, session, at, times) {
      if (by === 'shift' && session === undefined) return
      const key = `${person}\n${by === 'day' ? Math.floor(at / 86_400_000) : session}`
      const unit = open.get(key)
      if (!unit) open.set(key, { last: at, times })
      else {
        unit.last = Math.max(unit.last, at)
        unit.times += times
      }
    },
    passed(at) {
      for (const [key, { last, times }] of open) {
        if (at - last <= OVER) continue
        open.delete(key)
        close(times)
      }
    },
    end() {
      for (const { times } of open.values()) close(times)
      open.clear()
    },
  }
}
