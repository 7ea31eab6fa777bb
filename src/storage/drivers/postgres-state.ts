/** Short-lived state on PostgreSQL: one statement for each method, so that each is atomic over all processes. */
import type { QueryResult } from 'pg'
import type { Clock, Instant, Millis } from '#core/clock'
import { isConflict } from '../conflict.ts'
import type { State, StateEntry, StateOptions } from '../state.ts'
import { endOf } from '../state-end.ts'
import type { Connections } from './postgres-connections.ts'
import { written } from './postgres-values.ts'

/** Expired rows are absent everywhere, whether or not they have been purged: `expires` is the first moment without it. */
const living = (now: string) => `(expires is null or expires > ${now})`

/** What was there before is written over; whoever had the alias loses it first, in the very statement. */
const VALUES = 'insert into state (k, v, expires, grp, alias) select $1, $2, $3::bigint, $4, $5'
const REPLACED = 'v = excluded.v, expires = excluded.expires, grp = excluded.grp, alias = excluded.alias'
/** Selected from, so that it has happened before the row is written that gets the alias. */
const FREED = '(select count(*) from freed) as before'

const SQL = Object.freeze({
  get: `select v from state where k = $1 and ${living('$2')}`,
  getByAlias: `select k, v from state where alias = $1 and ${living('$2')}`,
  group: `select k, v from state where grp = $1 and ${living('$2')}`,
  members: 'select member from state_members where name = $1 and expires > $2',
  set: `${VALUES} on conflict (k) do update set ${REPLACED}`,
  setWithAlias: `with freed as (update state set alias = null where alias = $5 and k <> $1 returning 1)
    ${VALUES} from ${FREED} on conflict (k) do update set ${REPLACED}`,
  add: `${VALUES} on conflict (k) do update set ${REPLACED} where state.expires <= $6`,
  addWithAlias: `with freed as (
      update state set alias = null where alias = $5 and k <> $1 and expires <= $6 returning 1)
    ${VALUES} from ${FREED}
    where not exists (select 1 from state where alias = $5 and k <> $1 and ${living('$6')})
    on conflict (k) do update set ${REPLACED} where state.expires <= $6`,
  take: 'delete from state where k = $1 returning v, expires',
  swap: `update state set v = $1 where k = $2 and v = $3 and ${living('$4')}`,
  swapWhole: `update state set v = $1, expires = $5::bigint, grp = $6, alias = null
    where k = $2 and v = $3 and ${living('$4')}`,
  swapWithAlias: `with held as (select 1 from state where k = $2 and v = $3 and ${living('$4')} for update),
    freed as (update state set alias = null where alias = $7 and k <> $2 and exists (select from held) returning 1)
    update state set v = $1, expires = $5::bigint, grp = $6, alias = $7 from ${FREED}
    where k = $2 and v = $3 and ${living('$4')}`,
  increment: `insert into state (k, v, expires) values ($1, $2::bigint::text, $3)
    on conflict (k) do update set
      v = case when state.expires <= $4 then excluded.v
        when state.v ~ '^-?[0-9]{1,18}$' then (state.v::bigint + $2::bigint)::text
        else excluded.v end,
      grp = case when state.expires <= $4 then null else state.grp end,
      alias = case when state.expires <= $4 then null else state.alias end,
      expires = case when state.expires <= $4 then excluded.expires else state.expires end
    returning v`,
  delete: 'delete from state where k = $1 returning expires',
  // in one order: two that delete the same group do not wait for each other
  deleteGroup: `delete from state where k in (
    select k from state where grp = $1 and ${living('$2')} order by k for update)`,
  addMember: `with prolonged as (
      update state_members set expires = greatest(expires, $3) where name = $1 and member = $2 and expires > $4
      returning 1),
    added as (
      insert into state_members (name, member, expires) select $1, $2, $3::bigint
      where not exists (select from prolonged)
      on conflict (name, member) do update set expires = excluded.expires where state_members.expires <= $4
      returning 1)
    select (select count(*) from prolonged) as prolonged, (select count(*) from added) as added`,
  removeMember: 'delete from state_members where name = $1 and member = $2 returning expires',
  // several processes purge at once, each other rows, and nobody's write is waited for
  purge: `delete from state where k in (
    select k from state where expires <= $1 order by expires limit $2 for update skip locked)`,
  purgeMembers: `delete from state_members where (name, member) in (
    select name, member from state_members where expires <= $1 order by expires limit $2 for update skip locked)`,
})

type Name = keyof typeof SQL
type Value = string | number | null
type Row = { readonly k: string; readonly v: string; readonly expires: number | null; readonly member: string }

const given = ({ ttl, group, alias }: StateOptions) => ({ ttl, group: group ?? null, alias: alias ?? null })
const lives = (row: Row | undefined, at: Instant): boolean => row !== undefined && (row.expires ?? Infinity) > at

export function createPostgresState(connections: Connections, clock: Clock): State {
  const statement = (name: Name, values: readonly Value[]) => ({
    name: `state-${name}`,
    text: SQL[name],
    values: values.map((value) => (typeof value === 'string' ? written(value) : value)),
  })
  const now = () => clock.now()
  const ask = async (name: Name, ...values: Value[]): Promise<Row[]> =>
    (await connections.read(statement(name, values))).rows as Row[]
  // two that give the same alias away at once: one of them comes second, and finds it given
  const act = (name: Name, ...values: Value[]): Promise<QueryResult> =>
    connections.write(statement(name, values), isConflict)
  const first = async (name: Name, ...values: Value[]) => (await act(name, ...values)).rows[0] as Row | undefined
  const changed = async (name: Name, ...values: Value[]) => (await act(name, ...values)).rowCount ?? 0
  const entry = ({ k, v }: Row): StateEntry => ({ key: k, value: v })

  const state: State = {
    async get(key) {
      return (await ask('get', key, now()))[0]?.v
    },
    // nobody tells this process in time what others have written: it is read each time (`postgres-kept.ts`)
    keep: (make) => ({
      async of(key) {
        const value = await state.get(key)
        return value === undefined ? undefined : make(value, key)
      },
      known: () => undefined,
    }),
    async getByAlias(alias) {
      const [row] = await ask('getByAlias', alias, now())
      return row && entry(row)
    },
    async group(group) {
      return (await ask('group', group, now())).map(entry)
    },
    async members(set) {
      return (await ask('members', set, now())).map(({ member }) => member)
    },
    async set(key, value, options = {}) {
      const { ttl, group, alias } = given(options)
      await act(alias === null ? 'set' : 'setWithAlias', key, value, endOf(now(), ttl), group, alias)
    },
    async add(key, value, options = {}) {
      const { ttl, group, alias } = given(options)
      const at = now()
      return (
        (await changed(alias === null ? 'add' : 'addWithAlias', key, value, endOf(at, ttl), group, alias, at)) === 1
      )
    },
    async take(key) {
      const at = now()
      const row = await first('take', key)
      return lives(row, at) ? row!.v : undefined
    },
    async compareAndSwap(key, expected, value, options) {
      const at = now()
      if (!options) return (await changed('swap', value, key, expected, at)) === 1
      const { ttl, group, alias } = given(options)
      const values = [value, key, expected, at, endOf(at, ttl), group] as const
      return (
        (await (alias === null ? changed('swapWhole', ...values) : changed('swapWithAlias', ...values, alias))) === 1
      )
    },
    async increment(key: string, by: number, ttl: Millis) {
      if (!Number.isSafeInteger(by)) throw new RangeError('a counter counts in whole numbers')
      const at = now()
      return Number((await first('increment', key, by, endOf(at, ttl), at))!.v)
    },
    async delete(key) {
      const at = now()
      return lives(await first('delete', key), at)
    },
    deleteGroup: (group) => changed('deleteGroup', group, now()),
    async addMember(set, member, ttl) {
      const at = now()
      const expires = endOf(at, ttl)
      for (;;) {
        const { rows } = await act('addMember', set, member, expires, at)
        const { prolonged, added } = rows[0] as { prolonged: number; added: number }
        // neither: somebody else has added it in between, and perhaps for a shorter life
        if (prolonged + added > 0) return added === 1
      }
    },
    async removeMember(set, member) {
      const at = now()
      return lives(await first('removeMember', set, member), at)
    },
    async purge(at, limit) {
      const values = await changed('purge', at, limit)
      return values < limit ? values + (await changed('purgeMembers', at, limit - values)) : values
    },
  }
  return Object.freeze(state)
}
