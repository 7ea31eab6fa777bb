/** A bounded, fair queue: so many at once, so many waiting, the longest waiting first, and nobody waits in vain. */
import type { Clock, Millis } from '#core/clock'
import type { Refusal } from '#core/refusal'

export interface QueueOptions {
  readonly clock: Clock
  /** How many run at once. */
  readonly places: number
  /** How many may wait; the next one is turned away at once. */
  readonly waiting: number
  /** Who has waited longer is turned away when the turn comes: the person has given up by then. */
  readonly deadline: Millis
  readonly refuse: (reason: 'full' | 'late') => Refusal
}

export interface Queue {
  run<T>(work: () => Promise<T>): Promise<T>
  readonly running: number
  readonly waiting: number
}

export function createQueue({ clock, places, waiting, deadline, refuse }: QueueOptions): Queue {
  // a ring by head index: shift() on a long array costs as much as the array is long
  let line: { since: number; go: (refusal?: Refusal) => void }[] = []
  let head = 0
  let running = 0

  function next(): void {
    while (running < places && head < line.length) {
      const first = line[head++]!
      if (head > 1000 && head * 2 > line.length) [line, head] = [line.slice(head), 0]
      if (clock.now() - first.since > deadline) first.go(refuse('late'))
      else {
        running++
        first.go()
      }
    }
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return line.length - head
    },
    async run(work) {
      // INVARIANT: a place is free only when nobody waits, because `next` hands it on in the tick in which it is given back
      if (running < places) running++
      else {
        if (line.length - head >= waiting) throw refuse('full')
        await new Promise<void>((resolve, reject) => {
          line.push({ since: clock.now(), go: (refusal) => (refusal ? reject(refusal) : resolve()) })
        })
      }
      try {
        return await work()
      } finally {
        running--
        next()
      }
    },
  }
}
