/**
 * So many operations a second, whatever the server does (open loop). An operation's time counts from when it was due: what waits for
 * a server that is late is late as well.
 */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'

export interface Paced {
  /** Milliseconds. */
  readonly times: readonly number[]
  /** Milliseconds by which each was noticed later than it was due: whatever was late then, it was not the server. */
  readonly late: readonly number[]
  readonly errors: number
  readonly lastError: string | undefined
}

/** Each step is a virtual user, who does one thing after the other. */
export async function paced(steps: readonly (() => Promise<unknown>)[], rate: number, seconds: number): Promise<Paced> {
  const times: number[] = []
  const late: number[] = []
  const waiting: number[] = []
  const free = [...steps]
  let errors = 0
  let lastError: string | undefined
  let running = 0

  async function run(step: () => Promise<unknown>): Promise<void> {
    for (let due = waiting.shift(); due !== undefined; due = waiting.shift()) {
      try {
        await step()
        times.push(performance.now() - due)
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
      waiting.push(due)
      late.push(now - due)
    }
    while (waiting.length > 0 && free.length > 0) {
      running++
      void run(free.pop()!)
    }
    // no timer: it would come once a millisecond at most, with several of them at once, and late by our own fault
    await turnOfTheLoop()
  }
  return { times, late, errors, lastError }
}
