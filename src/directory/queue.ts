/**
 * A bounded, fair queue: so many at once, so many waiting, and nobody waits in vain. Several lines take turns, and in each
 * the longest waiting comes first: a crowd in one is not felt in another.
 */
import type { Clock, Millis } from '#core/clock'
import type { Refusal } from '#core/refusal'

export interface QueueOptions {
  readonly clock: Clock
  /** How many run at once. */
  readonly places: number
  /** How many may wait, in all lines together; the next one is turned away at once. */
  readonly waiting: number
  /** Who has waited longer is turned away when the turn comes: the person has given up by then. */
  readonly deadline: Millis
  readonly refuse: (reason: 'full' | 'late') => Refusal
}

export interface Queue {
  /** INVARIANT: names of lines come from the settings, never from a request: a line costs its turn. */
  run<T>(work: () => Promise<T>, line?: string): Promise<T>
  readonly running: number
  readonly waiting: number
}

interface Waiting {
  readonly since: number
  readonly go: (refusal?: Refusal) => void
}

export function createQueue({ clock, places, waiting, deadline, refuse }: QueueOptions): Queue {
  /** Those in which somebody waits; whose turn is next comes first. */
  const lines = new Map<string, Line>()
  let running = 0
  let waitingNow = 0

  function next(): void {
    while (running < places) {
      const turn = lines.entries().next().value
      if (!turn) return
      const [name, line] = turn
      const first = line.take()
      waitingNow--
      lines.delete(name)
      if (line.length > 0) lines.set(name, line)
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
      return waitingNow
    },
    async run(work, name = '') {
      // INVARIANT: a place is free only when nobody waits, because `next` hands it on in the tick in which it is given back
      if (running < places) running++
      else {
        if (waitingNow >= waiting) throw refuse('full')
        await new Promise<void>((resolve, reject) => {
          const line = lines.get(name) ?? createLine()
          line.add({ since: clock.now(), go: (refusal) => (refusal ? reject(refusal) : resolve()) })
          lines.set(name, line)
          waitingNow++
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

interface Line {
  readonly length: number
  add(one: Waiting): void
  /** Not of an empty line. */
  take(): Waiting
}

/** By head index: shift() on a long array costs as much as the array is long. */
function createLine(): Line {
  let all: Waiting[] = []
  let head = 0
  return {
    get length() {
      return all.length - head
    },
    add: (one) => void all.push(one),
    take() {
      const first = all[head++]!
      if (head > 1000 && head * 2 > all.length) [all, head] = [all.slice(head), 0]
      return first
    },
  }
}
