/** A bar on a terminal for whatever takes more than a second; nothing anywhere else. */
import { type Millis, stopwatch } from '#core/clock'

export interface Progress {
  /** 0 to 1; or, where nobody knows how much there is, what was done so far. */
  show(done: number | string): void
  clear(): void
}

const SHOWN_AFTER: Millis = 1000
const DRAWN_EVERY: Millis = 100
const WIDTH = 30

export function createProgress(terminal: { write(text: string): unknown } | undefined): Progress {
  let started: Millis | undefined
  let drawn: Millis | undefined
  return {
    show(done) {
      const now = stopwatch()
      started ??= now
      if (!terminal || now - started < SHOWN_AFTER || (drawn !== undefined && now - drawn < DRAWN_EVERY)) return
      drawn = now
      if (typeof done === 'string') {
        terminal.write(`\r\x1b[K${done}`)
        return
      }
      const full = Math.round(Math.min(Math.max(done, 0), 1) * WIDTH)
      terminal.write(
        `\r[${'#'.repeat(full)}${' '.repeat(WIDTH - full)}] ${String(Math.floor(done * 100)).padStart(3)} %`,
      )
    },
    clear() {
      if (drawn !== undefined) terminal?.write('\r\x1b[K')
      started = undefined
      drawn = undefined
    },
  }
}
