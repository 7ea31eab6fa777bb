/**
 * How far this process is behind. More requests than it can work off make each turn of its event loop longer, and whoever comes
 * then waits for the turns of everybody before. Where that goes on, it is better said at once than after half a minute.
 */
import { type Millis, seconds, stopwatch } from '#core/clock'
import type { Log } from '#core/log'

export interface Lateness {
  /** Whoever comes now is to be told to come again. */
  isLate(): boolean
  stop(): void
}

const EVERY: Millis = 250
/** A turn of the event loop that took so much longer than it should. */
const LATE: Millis = seconds(1)
/** One long turn is a pause that passes (a collection of garbage, a machine that stood still); so many in a row are too much work. */
const IN_A_ROW = 3

export function watchLateness({ log, time = stopwatch }: { log: Log; time?: () => Millis }): Lateness {
  let last = time()
  let inARow = 0
  const isLate = () => inARow >= IN_A_ROW
  const timer = setInterval(() => {
    const now = time()
    const before = isLate()
    inARow = now - last - EVERY >= LATE ? inARow + 1 : 0
    last = now
    if (isLate() && !before) log.warn('overloaded')
    if (before && !isLate()) log.warn('overload-over')
  }, EVERY).unref()
  return { isLate, stop: () => clearInterval(timer) }
}
