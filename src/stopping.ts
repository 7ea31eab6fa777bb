/** When somebody wants this process to end, and how much of a hurry they are in. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Millis } from '#core/clock'

export interface Stopping {
  /** Resolves when somebody said so. */
  readonly told: Promise<void>
  /** Aborted as soon as somebody cannot wait. */
  readonly hurry: AbortSignal
  /** As from outside: a terminal, a supervisor that has gone. */
  tell(hurry: boolean): void
  /** So long, or until somebody is in a hurry. */
  linger(length: Millis): Promise<void>
}

/** SIGTERM lets others look elsewhere first (`drain`); SIGINT comes from somebody who waits for the prompt of a terminal. */
export function listenForStop(): Stopping {
  const hurry = new AbortController()
  const { promise: told, resolve } = Promise.withResolvers<void>()
  const tell = (inHurry: boolean) => {
    if (inHurry) hurry.abort()
    resolve()
  }
  process.on('SIGTERM', () => tell(false))
  process.on('SIGINT', () => tell(true))
  return {
    told,
    hurry: hurry.signal,
    tell,
    async linger(length) {
      await wait(length, undefined, { signal: hurry.signal }).catch(() => {})
    },
  }
}
