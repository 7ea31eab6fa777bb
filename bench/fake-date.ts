/**
 * The wall clock of this process, moved by hand. The protocol engine and the libraries read `Date` themselves, so a clock
 * that is handed in would leave them behind. Timers keep running in real time.
 */
const RealDate = globalThis.Date

export interface Travel {
  now(): number
  set(at: number): void
  advance(ms: number): void
  /** Gives the real clock back. */
  end(): void
}

export function travelTo(start: number): Travel {
  let at = start
  class MovedDate extends RealDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [at] : given) as []))
    }
    static override now(): number {
      return at
    }
  }
  globalThis.Date = MovedDate as DateConstructor
  return {
    now: () => at,
    set(next) {
      at = next
    },
    advance(ms) {
      at += ms
    },
    end() {
      globalThis.Date = RealDate
    },
  }
}
