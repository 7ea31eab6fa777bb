/**
 * So many operations a second, whatever the server does (open loop). An operation's time counts from when this loop noticed that it
 * was due: what then waits for a server that is late, also for a user who still waits for another answer, is late as well. What this
 * loop noticed too late by its own fault is told apart; the answers that it takes too late are not, and count as the server's.
 */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'

export interface Paced {
  /** Milliseconds, from when it was noticed. */
  readonly times: readonly number[]
  /** Milliseconds, from when it was due. */
  readonly sinceDue: readonly number[]
  readonly errors: number
  readonly lastError: string | undefined
}

/** Each step is a virtual user, who does one thing after the other. */
export async function paced(steps: readonly (() => Promise<unknown>)[], rate: number, seconds: number): Promise<Paced> {
  const times: number[] = []
  const sinceDue: number[] = []
  const waiting: { readonly due: number; readonly noticed: number }[] = []
  const free = [...steps]
  let errors = 0
  let lastError: string | undefined
  let running = 0

  async function run(step: () => Promise<unknown>): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        await step()
        const now = performance.now()
        times.push(now - next.noticed)
        sinceDue.push(now - next.due)
      } catch (error) {
        errors++
        lastError = String((error as Error).message).slice(0, 400)
      }
    }
    free.push(step)
    running--
  }

  const total = Math.round(rate * seconds)
  const began = performance.now()
  for (let next = 0; next < total || running > 0; ) {
    const now = performance.now()
    for (let due = began + (1000 * next) / rate; next < total && due <= now; due = began + (1000 * ++next) / rate) {
      waiting.push({ due, noticed: now })
    }
    while (waiting.length > 0 && free.length > 0) {
      running++
      void run(free.pop()!)
    }
    // no timer: it would come once a millisecond at most, with several of them at once, and late by our own fault
    await turnOfTheLoop()
  }
  return { times, sinceDue, errors, lastError }
}
