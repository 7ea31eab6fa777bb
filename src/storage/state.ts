/** Short-lived state: values that may expire, spent and counted atomically, over all processes. */
import type { Instant, Millis } from '#core/clock'
import type { Kept } from './kept.ts'

export interface StateOptions {
  /** From now until the value is gone; without it the value stays until deleted. */
  readonly ttl?: Millis
  /** Everything of one group can be listed and deleted together (all tokens of a grant, all sessions of a person). */
  readonly group?: string
  /** A second, unique name by which `getByAlias` finds the value (a user code, a session's public id). `set` and
   * `compareAndSwap` take it from the value that had it; `add` answers false where a living value has it. */
  readonly alias?: string
}

export interface StateEntry {
  readonly key: string
  readonly value: string
}

/**
 * Keys, values, groups and aliases are strings; keys carry the owning room as prefix (`session:…`).
 * Every method is atomic over all processes. A value whose time has come is absent for every method, whether or not it
 * has been purged yet. A write is durable when its promise resolves.
 */
export interface State {
  get(key: string): Promise<string | undefined>
  /** What `make` makes of values, kept while they are neither written nor over (`kept.ts`). What is to be swapped is read by `get`. */
  keep<T>(make: (value: string, key: string) => T | undefined): Kept<T>
  getByAlias(alias: string): Promise<StateEntry | undefined>
  /** Writes whatever was there before; `options` replace the earlier ones as a whole. */
  set(key: string, value: string, options?: StateOptions): Promise<void>
  /** Writes only where nothing is: true for exactly one of any number of simultaneous callers. */
  add(key: string, value: string, options?: StateOptions): Promise<boolean>
  /** Reads and deletes: of any number of simultaneous callers exactly one receives the value. */
  take(key: string): Promise<string | undefined>
  /**
   * Replaces the value only where it still is `expected`, and says whether it did. Without `options` expiry, group and
   * alias stay as they are.
   */
  compareAndSwap(key: string, expected: string, value: string, options?: StateOptions): Promise<boolean>
  /** Adds `by` to a counter and answers the new count. A counter that is not there starts at 0 and then lives for `ttl`;
   * further increments do not prolong it. */
  increment(key: string, by: number, ttl: Millis): Promise<number>
  /** True when there was something to delete. */
  delete(key: string): Promise<boolean>
  /** All living values of the group, in no particular order. */
  group(group: string): Promise<StateEntry[]>
  /** Deletes the whole group and answers how many values that were. */
  deleteGroup(group: string): Promise<number>
  /** Sets of members, each with its own life. Adding again prolongs. True when it was not a member before. */
  addMember(set: string, member: string, ttl: Millis): Promise<boolean>
  removeMember(set: string, member: string): Promise<boolean>
  members(set: string): Promise<string[]>
  /** Removes at most `limit` expired rows and answers how many; the purge calls it again and again in small steps. */
  purge(now: Instant, limit: number): Promise<number>
}
