/**
 * A unit of work: everything that one request reads and writes. Its writes resolve once they are executed, it sees what
 * others have executed, and only its end waits for the disk: a request of ten writes costs one commit instead of ten.
 *
 * INVARIANT: a unit resolves after the last commit that carries what it wrote or saw, or rejects when one of them failed.
 * Whoever opens one lets nothing out that was learned inside before that: no answer, no message to another system.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** A plain record without functions of its own: most requests write nothing, and one is made for each. */
export interface Unit {
  /** Why a commit failed: nothing more is written for this unit, for what it builds on is gone. */
  failure: unknown
  /** Ended: what is written after that, by work that nobody waited for, is no part of the unit. */
  over: boolean
  /** By what it was last found out for this unit whether others have committed (`kept.ts`). */
  lookedBy: object | undefined
  /** The last commit that it rests on. */
  newest: object | undefined
  /** Those that are still to come; undefined where there was none. */
  waiting: Set<Promise<void>> | undefined
}

const units = new AsyncLocalStorage<Unit>()

/** The unit that the caller is part of. */
export function currentUnit(): Unit | undefined {
  const unit = units.getStore()
  return unit?.over ? undefined : unit
}

/** Of what this unit rests on, each commit is noted once; answers how that commit tells its end. */
export function carriedBy(
  unit: Unit,
  commit: object,
): { readonly settle: () => void; readonly reject: (error: unknown) => void } | undefined {
  if (commit === unit.newest) return undefined
  unit.newest = commit
  unit.waiting ??= new Set()
  const { waiting } = unit
  const { promise, resolve } = Promise.withResolvers<void>()
  waiting.add(promise)
  const settle = () => {
    waiting.delete(promise)
    resolve()
  }
  return {
    settle,
    reject(error) {
      unit.failure ??= error
      settle()
    },
  }
}

async function settledIn(unit: Unit): Promise<void> {
  while (unit.waiting && unit.waiting.size > 0) await Promise.all(unit.waiting)
  if (unit.failure !== undefined) throw unit.failure
}

/**
 * Runs `work` as one unit and resolves with its value once everything written inside is durable. Inside, a write resolves
 * when it is executed, and reads see it. Rejects with `Refusal('storage-unavailable')` when a commit failed, whatever
 * `work` answered; otherwise as `work` does.
 */
export async function together<T>(work: () => Promise<T>): Promise<T> {
  const unit: Unit = { failure: undefined, over: false, lookedBy: undefined, newest: undefined, waiting: undefined }
  try {
    return await units.run(unit, work)
  } finally {
    try {
      // what rests on nothing waits for nothing
      if (unit.waiting) await settledIn(unit)
    } finally {
      unit.over = true
    }
  }
}

/** In the middle of a unit: resolves when all that it has written so far is durable. Outside of one, at once. */
export async function settled(): Promise<void> {
  const unit = currentUnit()
  if (unit) await settledIn(unit)
}
