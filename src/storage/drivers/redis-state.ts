/** Short-lived state on Redis: one script or one command for each method. */
import type { Clock, Instant, Millis } from '#core/clock'
import { createRecent } from '#core/recent'
import { Refusal } from '#core/refusal'
import type { State, StateEntry, StateOptions } from '../state.ts'
import type { RedisLink } from './redis-link.ts'
import { ROOT } from './redis-scripts.ts'

/** Of each kind at least so many are kept, and at most twice as many. */
const KEPT = 10_000

function end(now: Instant, ttl: Millis | undefined): Instant | undefined {
  if (ttl === undefined) return undefined
  if (!Number.isFinite(ttl)) throw new RangeError('ttl must be a finite number of milliseconds')
  return Math.ceil(now + ttl)
}

/** What may be left out is told from what is empty. */
const optional = (value: string | number | undefined): string => (value === undefined ? '' : `+${value}`)

const placed = (now: Instant, { ttl, group, alias }: StateOptions): [string, string, string] => [
  optional(end(now, ttl)),
  optional(group),
  optional(alias),
]

function entries(flat: readonly string[]): StateEntry[] {
  const found: StateEntry[] = []
  for (let at = 0; at < flat.length; at += 2) found.push({ key: flat[at]!, value: flat[at + 1]! })
  return found
}

export function createRedisState({ link, clock }: { link: RedisLink; clock: Clock }): State {
  const now = () => clock.now()
  async function get(key: string): Promise<string | undefined> {
    const [value, ends] = await link.read<[string | null, string | null]>('HMGET', `${ROOT}v:${key}`, 'v', 'e')
    return value === null || (ends !== null && Number(ends) <= now()) ? undefined : value
  }

  return Object.freeze({
    get,
    /** Loaded each time, and made only where it is not what it was: nobody tells early enough that it was written. */
    keep<T>(make: (value: string, key: string) => T | undefined) {
      const kept = createRecent<string, { value: string; made: T }>(KEPT)
      return {
        known: () => undefined,
        async of(key: string) {
          const value = await get(key)
          if (value === undefined) {
            kept.delete(key)
            return undefined
          }
          const before = kept.get(key)
          if (before?.value === value) return before.made
          const made = make(value, key)
          if (made !== undefined) kept.set(key, { value, made })
          return made
        },
      }
    },
    async getByAlias(alias: string) {
      const found = await link.look<[string, string] | null>('getByAlias', `${now()}`, alias)
      return found ? { key: found[0], value: found[1] } : undefined
    },
    async group(group: string) {
      return entries(await link.look<string[]>('group', `${now()}`, group))
    },
    async members(set: string) {
      return link.read<string[]>('ZRANGEBYSCORE', `${ROOT}s:${set}`, `(${now()}`, '+inf')
    },
    async set(key: string, value: string, options: StateOptions = {}) {
      const at = now()
      await link.write('set', `${at}`, key, value, ...placed(at, options))
    },
    async add(key: string, value: string, options: StateOptions = {}) {
      const at = now()
      return (await link.write<number>('add', `${at}`, key, value, ...placed(at, options))) === 1
    },
    async take(key: string) {
      return (await link.write<string | null>('take', `${now()}`, key)) ?? undefined
    },
    async compareAndSwap(key: string, expected: string, value: string, options?: StateOptions) {
      const at = now()
      const answer = options
        ? await link.write<[number, string?] | null>('swapWhole', `${at}`, key, expected, value, ...placed(at, options))
        : await link.write<[number, string?] | null>('swap', `${at}`, key, expected, value)
      // bytes that are no text read as a text that they never equal: the caller would try again for ever
      if (answer?.[1] === expected) throw new Refusal('storage-unavailable', 'a value is damaged')
      return answer?.[0] === 1
    },
    async increment(key: string, by: number, ttl: Millis) {
      if (!Number.isSafeInteger(by)) throw new RangeError('a counter counts in whole numbers')
      const at = now()
      return Number(await link.write<string>('increment', `${at}`, key, `${by}`, `${end(at, ttl)!}`))
    },
    async delete(key: string) {
      return (await link.write<number>('delete', `${now()}`, key)) === 1
    },
    async deleteGroup(group: string) {
      return link.write<number>('deleteGroup', `${now()}`, group)
    },
    async addMember(set: string, member: string, ttl: Millis) {
      const at = now()
      return (await link.write<number>('addMember', `${at}`, set, member, `${end(at, ttl)!}`)) === 1
    },
    async removeMember(set: string, member: string) {
      return (await link.write<number>('removeMember', `${now()}`, set, member)) === 1
    },
    async purge(at: Instant, limit: number) {
      return link.write<number>('purge', `${at}`, `${limit}`)
    },
  })
}
