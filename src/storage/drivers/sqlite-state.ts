/** Short-lived state on SQLite: prepared statements without a query builder, one or two for each method. */
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import type { Clock, Instant, Millis } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Keep } from '../kept.ts'
import type { State, StateEntry, StateOptions } from '../state.ts'
import { endOf } from '../state-end.ts'
import { translated } from './sqlite-errors.ts'
import type { Read } from './sqlite-reader.ts'
import type { Writer } from './sqlite-writer.ts'

/** Expired rows are absent everywhere, whether or not they have been purged: `expires` is the first moment without it. */
const LIVING = '(expires IS NULL OR expires > ?)'

const SQL = Object.freeze({
  get: `SELECT v FROM state WHERE k = ? AND ${LIVING}`,
  getWithEnd: `SELECT v, expires FROM state WHERE k = ? AND ${LIVING}`,
  getByAlias: `SELECT k, v FROM state WHERE alias = ? AND ${LIVING}`,
  group: `SELECT k, v FROM state WHERE grp = ? AND ${LIVING}`,
  members: 'SELECT member FROM state_members WHERE name = ? AND expires > ?',
  set: `INSERT INTO state (k, v, expires, grp, alias) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (k) DO UPDATE SET v = excluded.v, expires = excluded.expires, grp = excluded.grp, alias = excluded.alias`,
  add: `INSERT INTO state (k, v, expires, grp, alias) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (k) DO UPDATE SET v = excluded.v, expires = excluded.expires, grp = excluded.grp, alias = excluded.alias
    WHERE state.expires <= ?`,
  aliasHolder: `SELECT 1 FROM state WHERE alias = ? AND k <> ? AND ${LIVING}`,
  freeAlias: 'UPDATE state SET alias = NULL WHERE alias = ? AND k <> ?',
  take: `DELETE FROM state WHERE k = ? RETURNING v, expires`,
  swap: `UPDATE state SET v = ? WHERE k = ? AND v = ? AND ${LIVING}`,
  swapWhole: `UPDATE state SET v = ?, expires = ?, grp = ?, alias = ? WHERE k = ? AND v = ? AND ${LIVING}`,
  holds: `SELECT 1 FROM state WHERE k = ? AND v = ? AND ${LIVING}`,
  increment: `INSERT INTO state (k, v, expires) VALUES (?1, CAST(?2 AS INTEGER), ?3)
    ON CONFLICT (k) DO UPDATE SET
      v = CASE WHEN state.expires <= ?4 THEN excluded.v ELSE CAST(state.v AS INTEGER) + CAST(?2 AS INTEGER) END,
      grp = CASE WHEN state.expires <= ?4 THEN NULL ELSE state.grp END,
      alias = CASE WHEN state.expires <= ?4 THEN NULL ELSE state.alias END,
      expires = CASE WHEN state.expires <= ?4 THEN excluded.expires ELSE state.expires END
    RETURNING v`,
  delete: 'DELETE FROM state WHERE k = ? RETURNING expires',
  deleteGroup: `DELETE FROM state WHERE grp = ? AND ${LIVING}`,
  prolongMember: 'UPDATE state_members SET expires = max(expires, ?) WHERE name = ? AND member = ? AND expires > ?',
  addMember: `INSERT INTO state_members (expires, name, member) VALUES (?, ?, ?)
    ON CONFLICT (name, member) DO UPDATE SET expires = excluded.expires`,
  removeMember: 'DELETE FROM state_members WHERE name = ? AND member = ? RETURNING expires',
  purge: 'DELETE FROM state WHERE k IN (SELECT k FROM state WHERE expires <= ? ORDER BY expires LIMIT ?)',
  purgeMembers: `DELETE FROM state_members WHERE (name, member) IN
    (SELECT name, member FROM state_members WHERE expires <= ? ORDER BY expires LIMIT ?)`,
})

type Name = keyof typeof SQL
type Row = Record<string, SQLInputValue>

export function createSqliteState({
  read,
  writer,
  clock,
  keep,
}: {
  read: Read
  writer: Pick<Writer, 'write' | 'statements'>
  clock: Clock
  keep: Keep
}): State {
  const on = (name: Name): StatementSync => writer.statements.keep(SQL[name])
  const now = () => clock.now()
  const reading = <T>(name: Name, run: (statement: StatementSync) => T): T => {
    try {
      return read((statements) => run(statements.keep(SQL[name])))
    } catch (error) {
      throw translated(error)
    }
  }
  const one = (name: Name, ...values: SQLInputValue[]): Row | undefined =>
    reading(name, (statement) => statement.get(...values) as Row | undefined)
  const all = (name: Name, ...values: SQLInputValue[]): Row[] =>
    reading(name, (statement) => statement.all(...values) as Row[])
  const entry = (row: Row): StateEntry => ({ key: row['k'] as string, value: row['v'] as string })
  const changed = (name: Name, ...values: SQLInputValue[]): number => Number(on(name).run(...values).changes)
  const lives = (row: Row | undefined, at: Instant): boolean =>
    row !== undefined && (row['expires'] === null || (row['expires'] as number) > at)

  /** Within a write: whether the value was another one, as whoever is told so will find when they read again. */
  const isAnother = (key: string, expected: string, at: Instant): false => {
    // bytes that are no text read as a text that they never equal: the caller would try again for ever
    if ((on('get').get(key, at) as Row | undefined)?.['v'] === expected)
      throw new Refusal('storage-unavailable', 'a value is damaged')
    return false
  }

  return Object.freeze({
    async get(key: string) {
      return one('get', key, now())?.['v'] as string | undefined
    },
    keep<T>(make: (value: string, key: string) => T | undefined) {
      const kept = keep('state', 'k', async (key) => {
        const row = one('getWithEnd', key, now())
        return row && { made: make(row['v'] as string, key), row }
      })
      const living = (found: { made: T | undefined; row: Row } | undefined) =>
        found && lives(found.row, now()) ? found.made : undefined
      return {
        of: async (key: string) => living(await kept.of(key)),
        known: (key: string) => living(kept.known(key)),
      }
    },
    async getByAlias(alias: string) {
      const row = one('getByAlias', alias, now())
      return row && entry(row)
    },
    async group(group: string) {
      return all('group', group, now()).map(entry)
    },
    async members(set: string) {
      return all('members', set, now()).map((row) => row['member'] as string)
    },
    async set(key: string, value: string, options: StateOptions = {}) {
      const expires = endOf(now(), options.ttl)
      return writer.write(() => {
        if (options.alias !== undefined) on('freeAlias').run(options.alias, key)
        on('set').run(key, value, expires, options.group ?? null, options.alias ?? null)
      })
    },
    async add(key: string, value: string, options: StateOptions = {}) {
      const at = now()
      const expires = endOf(at, options.ttl)
      return writer.write(() => {
        if (options.alias !== undefined) {
          if (on('aliasHolder').get(options.alias, key, at)) return false
          on('freeAlias').run(options.alias, key)
        }
        return changed('add', key, value, expires, options.group ?? null, options.alias ?? null, at) === 1
      })
    },
    async take(key: string) {
      const at = now()
      return writer.write(() => {
        const row = on('take').get(key) as Row | undefined
        return lives(row, at) ? (row!['v'] as string) : undefined
      })
    },
    async compareAndSwap(key: string, expected: string, value: string, options?: StateOptions) {
      const at = now()
      if (!options)
        return writer.write(() => changed('swap', value, key, expected, at) === 1 || isAnother(key, expected, at))
      const expires = endOf(at, options.ttl)
      return writer.write(() => {
        if (options.alias !== undefined) {
          if (!on('holds').get(key, expected, at)) return isAnother(key, expected, at)
          on('freeAlias').run(options.alias, key)
        }
        return (
          changed('swapWhole', value, expires, options.group ?? null, options.alias ?? null, key, expected, at) === 1 ||
          isAnother(key, expected, at)
        )
      })
    },
    async increment(key: string, by: number, ttl: Millis) {
      if (!Number.isSafeInteger(by)) throw new RangeError('a counter counts in whole numbers')
      const at = now()
      const expires = endOf(at, ttl)
      return writer.write(() => Number((on('increment').get(key, by, expires, at) as Row)['v']))
    },
    async delete(key: string) {
      const at = now()
      return writer.write(() => lives(on('delete').get(key) as Row | undefined, at))
    },
    async deleteGroup(group: string) {
      const at = now()
      return writer.write(() => changed('deleteGroup', group, at))
    },
    async addMember(set: string, member: string, ttl: Millis) {
      const at = now()
      const expires = endOf(at, ttl)
      return writer.write(() => {
        if (changed('prolongMember', expires, set, member, at) === 1) return false
        on('addMember').run(expires, set, member)
        return true
      })
    },
    async removeMember(set: string, member: string) {
      const at = now()
      return writer.write(() => lives(on('removeMember').get(set, member) as Row | undefined, at))
    },
    async purge(at: Instant, limit: number) {
      return writer.write(() => {
        const values = changed('purge', at, limit)
        return values < limit ? values + changed('purgeMembers', at, limit - values) : values
      })
    },
  })
}
