/**
 * One of all processes, on whichever machine, does what need be done once only. It says so in the database again and again; the others
 * watch what it says, and where nothing new was said for a while, one of them takes over.
 *
 * INVARIANT: no process takes itself for the leader after another may have taken over. Only lengths of time are compared, each measured
 * by one process: clocks may differ, jump and go back. What begins while it leads may end later: work that must not be done
 * twice claims what it does besides (the outbox its rows, syncs their directory).
 */
import { type Millis, seconds, stopwatch } from '#core/clock'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import type { State } from '#storage'

export interface Leader {
  /** False as soon as this process may have been quiet for too long, whether it stood still or could not write. */
  leads(): boolean
  /** Says or watches from now on; where nobody leads, this process does when it resolves. Never throws. */
  start(): Promise<void>
  /** One turn of that: renews, watches, or takes over. Never throws. */
  beat(): Promise<void>
  /** Gives it up, so that nobody has to wait. */
  stop(): Promise<void>
}

export interface LeaderOptions {
  /** With the records: whatever else fails over, there is one leader. A power cut ends all of them, and what they said. */
  readonly state: State
  readonly log: Log
  /** Of this process, never going back. */
  readonly time?: () => Millis
}

const KEY = 'leader'
const NOBODY = 'nobody'
const BEAT: Millis = seconds(2)
/** From the moment before it was written: so long does a word count for whoever said it. */
export const HOLDS: Millis = seconds(7)
/** From the moment after it was read: so long do the others wait for the next one. */
export const WATCHED: Millis = seconds(10)

export function createLeader({ state, log, time = stopwatch }: LeaderOptions): Leader {
  const own = randomId()
  let count = 0
  /** What this process has said last, as far as it knows. */
  let until = Number.NEGATIVE_INFINITY
  let heard: { readonly word: string; readonly at: Millis } | undefined
  let said = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let over = false

  const leads = () => !over && time() < until

  async function turn(): Promise<void> {
    const before = time()
    const word = await state.get(KEY)
    const next = `${own} ${++count}`
    const mine = word?.startsWith(`${own} `)
    if (!mine && word !== undefined && word !== NOBODY) {
      const at = time()
      if (heard?.word !== word) heard = { word, at }
      if (at - heard.at < WATCHED) return tellLost()
    }
    const done = word === undefined ? await state.add(KEY, next) : await state.compareAndSwap(KEY, word, next)
    if (!done) return tellLost()
    until = before + HOLDS
    if (!said) log.info('leader-taken')
    said = true
  }

  function tellLost(): void {
    until = Number.NEGATIVE_INFINITY
    if (said) log.warn('leader-lost')
    said = false
  }

  const beat = (): Promise<void> => {
    running ??= turn()
      .catch((cause: unknown) => log.warn('leader-unknown', {}, cause))
      .finally(() => {
        running = undefined
      })
    return running
  }

  return {
    leads,
    beat,
    async start() {
      timer = setInterval(beat, BEAT).unref()
      await beat()
    },
    async stop() {
      clearInterval(timer)
      await running
      over = true
      const word = await state.get(KEY).catch(() => undefined)
      if (word?.startsWith(`${own} `)) await state.compareAndSwap(KEY, word, NOBODY).catch(() => {})
    },
  }
}
