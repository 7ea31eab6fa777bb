/** One after the other within this process, in the order of asking, and nobody waits for ever. */
import type { Millis } from '#core/clock'
import { Refusal } from '#core/refusal'

export interface Turns {
  /** Resolves when it is the caller's turn, with how to end it. Throws `Refusal('storage-unavailable')` after `longest`. */
  take(): Promise<() => void>
  /** So many wait for theirs. */
  waiting(): number
}

export function createTurns(longest: Millis): Turns {
  const waiting: (() => void)[] = []
  let taken = false
  const end = () => {
    const next = waiting.shift()
    if (next) next()
    else taken = false
  }
  return {
    waiting: () => waiting.length,
    take: () =>
      new Promise((resolve, reject) => {
        if (!taken) {
          taken = true
          return resolve(end)
        }
        const go = () => {
          clearTimeout(timer)
          resolve(end)
        }
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(go), 1)
          reject(new Refusal('storage-unavailable', `a write waited ${longest / 1000} s for its turn`))
        }, longest)
        waiting.push(go)
      }),
  }
}
