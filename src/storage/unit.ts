/**
 * A unit of work: everything that one request reads and writes. Its writes resolve once they are executed, it sees what
 * others have executed, and only its end waits for the disk: a request of ten writes costs one commit instead of ten.
 *
 * INVARIANT: a unit resolves after the last commit that carries what it wrote or saw, or rejects when one of them failed.
 * Whoever opens one lets nothing out that was learned inside before that: no answer, no message to another system.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface Unit {
  /** Why a commit failed: nothing more is written for this unit, for what it builds on is gone. */
  readonly failure: unknown
  /** Of what this unit rests on, each commit is noted once; answers how that commit tells its end. */
  carriedBy(commit: object): { readonly settle: () => void; readonly reject: (error: unknown) => void } | undefined
  settled(): Promise<void>
  /** Waits for the last commit; what is written after that, by work that nobody waited for, is no part of the unit. */
  end(): Promise<void>
  readonly over: boolean
  /** By what it was last found out for this unit whether others have committed (`kept.ts`). */
  lookedBy: object | undefined
}

const units = new AsyncLocalStorage<Unit>()

/** The unit that the caller is part of. */
export function currentUnit(): Unit | undefined {
  const unit = units.getStore()
  return unit?.over ? undefined : unit
}

function createUnit(): Unit {
  const waiting = new Set<Promise<void>>()
  let newest: object | undefined
  let failure: unknown
  let over = false
  const settled = async () => {
    while (waiting.size > 0) await Promise.all(waiting)
    if (failure !== undefined) throw failure
  }
  return {
    get failure() {
      return failure
    },
    get over() {
      return over
    },
    carriedBy(commit) {
      if (commit === newest) return undefined
      newest = commit
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(promise)
      const settle = () => {
        waiting.delete(promise)
        resolve()
      }
      return {
        settle,
        reject(error) {
          failure ??= error
          settle()
        },
      }
    },
    settled,
    lookedBy: undefined,
    async end() {
      try {
        await settled()
      } finally {
        over = true
      }
    },
  }
}

/**
 * Runs `work` as one unit and resolves with its value once everything written inside is durable. Inside, a write resolves
 * when it is executed, and reads see it. Rejects with `Refusal('storage-unavailable')` when a commit failed, whatever
 * `work` answered; otherwise as `work` does.
 */
export async function together<T>(work: () => Promise<T>): Promise<T> {
  const unit = createUnit()
  try {
    return await units.run(unit, work)
  } finally {
    await unit.end()
  }
}

/** In the middle of a unit: resolves when all that it has written so far is durable. Outside of one, at once. */
export const settled = async (): Promise<void> => void (await currentUnit()?.settled())
