/** What a batch of an import does to the people who are there: planned first, then written in one transaction. */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import { keepAdministrator } from './administrators.ts'
import type { Changes } from './changes.ts'
import type { Hashing } from './hashing.ts'
import type { Draft, Reason } from './import-row.ts'
import type { OpenDirectory } from './kind.ts'
import { checkPassword } from './passwords.ts'
import { ADMINISTRATORS } from './person.ts'
import { about, changedColumns, newRow } from './rows.ts'
import type { Database, Store } from './store.ts'
import { LOCAL_SOURCE, type PeopleTable } from './tables.ts'

interface Work {
  readonly id: string
  /** As it will stand. */
  readonly row: PeopleTable
  /** What the file changes, and the row it was judged by; for people who are there already. */
  readonly update?: { readonly set: Partial<PeopleTable>; readonly before: PeopleTable }
  /** Undefined leaves memberships as they are. */
  readonly groups: readonly string[] | undefined
  /** To be hashed when the batch is written. */
  readonly password: string | undefined
  readonly becomesDisabled: boolean
}

export type Plan =
  | { result: 'refused'; reason: Reason }
  | { result: 'unchanged'; id: string }
  | ({ result: 'added' | 'changed' } & Work)
type Writing = Extract<Plan, { row: PeopleTable }>

interface Parts {
  readonly store: Store
  readonly hashing: Hashing
  readonly changes: Changes
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly directory: OpenDirectory
  readonly allowAdministrators: boolean
}

export interface Planner {
  /** One plan for each draft, in their order. */
  plan(drafts: readonly Draft[]): Promise<Plan[]>
  /** Writes what the plans say and answers how many. A plan that cannot be written becomes refused, in place. */
  write(plans: Plan[], by: string): Promise<number>
}

export function planner({
  store,
  hashing,
  changes,
  clock,
  log,
  audit,
  directory,
  allowAdministrators,
}: Parts): Planner {
  const { db } = store

  function planOne(draft: Draft, existing: readonly PeopleTable[]): Plan {
    const row = existing.find((one) => one.directory === directory.id)
    if (!row && existing.length > 0) return refused('person-elsewhere', 'another directory has this user name')
    const plan = row ? planChange(draft, row) : planAdd(draft)
    if (plan.result === 'refused' || plan.result === 'unchanged') return plan
    if (!allowAdministrators) {
      if (row && isAdministrator(row))
        return refused(
          'administrator-protected',
          'this would change an administrator; only --allow-administrators does that',
        )
      if (isAdministrator(plan.row))
        return refused(
          'administrators-not-allowed',
          'this would make an administrator; only --allow-administrators does that',
        )
    }
    if (draft.password === undefined) return plan
    try {
      return { ...plan, password: checkPassword(draft.password, about(plan.row)) }
    } catch (error) {
      if (error instanceof Refusal) return refused(error.code, 'the password is too short or too easy to guess')
      throw error
    }
  }

  function planAdd(draft: Draft): Plan {
    const { name, language, ...fields } = draft.fields
    if (!name) return refused('name-missing', 'a new person needs a name')
    const groups = draft.groups ?? []
    const input = {
      ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
      username: draft.fields.username,
      name,
      disabled: draft.disabled === true,
    }
    const row = newRow({ ...input, ...(language === undefined ? {} : { language }) }, groups, directory, clock.now())
    return { result: 'added', id: row.id, row, groups, password: undefined, becomesDisabled: false }
  }

  function planChange(draft: Draft, row: PeopleTable): Plan {
    const { username, ...fields } = draft.fields
    const next: PeopleTable = {
      ...row,
      // another spelling of the same name is a change like any other
      ...changedColumns({ ...fields, username }, row, directory),
      ...(draft.disabled === undefined ? {} : { disabled: draft.disabled ? 1 : 0 }),
      ...(draft.groups === undefined ? {} : { groups: JSON.stringify(draft.groups) }),
    }
    const set = Object.fromEntries(
      Object.entries(next).filter(([key, value]) => value !== row[key as keyof PeopleTable]),
    )
    if (Object.keys(set).length === 0 && draft.password === undefined) return { result: 'unchanged', id: row.id }
    const becomesDisabled = next.disabled === 1 && row.disabled === 0
    const update = { set: { ...set, changed_at: clock.now() }, before: row }
    return {
      result: 'changed',
      id: row.id,
      row: next,
      update,
      groups: draft.groups,
      password: undefined,
      becomesDisabled,
    }
  }

  async function put(trx: Database, plans: readonly (Writing & { phc?: string })[], by: string): Promise<void> {
    const added = plans.filter((plan) => plan.result === 'added').map((plan) => plan.row)
    // a database takes some ten thousand parameters in one statement
    for (let i = 0; i < added.length; i += 500)
      await trx
        .insertInto('people')
        .values(added.slice(i, i + 500))
        .execute()
    for (const { id, update, groups } of plans) {
      if (!update) continue
      // who was disabled, or made an administrator, after the row was judged must not be overwritten by it
      const { numUpdatedRows } = await trx
        .updateTable('people')
        .set(update.set)
        .where('id', '=', id)
        .where('changed_at', '=', update.before.changed_at)
        .executeTakeFirstOrThrow()
      if (numUpdatedRows === 0n) throw new Refusal('state-conflict', 'import: changed meanwhile')
      if (groups !== undefined)
        await trx.deleteFrom('memberships').where('person_id', '=', id).where('source', '=', LOCAL_SOURCE).execute()
    }
    const memberships = plans.flatMap(({ id, groups }) =>
      (groups ?? []).map((group_name) => ({ person_id: id, group_name, source: LOCAL_SOURCE })),
    )
    for (let i = 0; i < memberships.length; i += 1000)
      await trx
        .insertInto('memberships')
        .values(memberships.slice(i, i + 1000))
        .execute()
    await keepAdministrator(
      trx,
      store,
      plans.map(({ update }) => update?.before),
    )
    for (const { id, phc } of plans) {
      if (phc === undefined) continue
      const set_at = clock.now()
      await trx
        .insertInto('passwords')
        .values({ person_id: id, phc, set_at })
        .onConflict((conflict) => conflict.column('person_id').doUpdateSet({ phc, set_at }))
        .execute()
    }
    for (const { result, id, password } of plans)
      await audit.record(
        result === 'added' ? 'person-added' : 'person-changed',
        { actor: by, subject: id, reason: 'import', ...(password === undefined ? {} : { factor: 'password' }) },
        trx,
      )
  }

  /** As many at once as the queue has places: who signs in meanwhile waits behind these few, not behind the whole file. */
  async function inTurns<A, B>(all: readonly A[], work: (one: A) => Promise<B>): Promise<B[]> {
    const done: B[] = []
    const waiting = all.entries()
    const worker = async () => {
      for (const [i, one] of waiting) done[i] = await work(one)
    }
    await Promise.all(Array.from({ length: hashing.places }, worker))
    return done
  }

  /** The password that a person has already is no change: the same file again ends nobody's session. */
  async function settled(plan: Plan): Promise<Plan> {
    if (plan.result !== 'changed' || plan.password === undefined) return plan
    const phc = await store.password(plan.id)
    if (phc === undefined || !(await hashing.verify(phc, plan.password))) return plan
    // `changed_at` is always there
    const nothing = Object.keys(plan.update!.set).length === 1
    return nothing ? { result: 'unchanged', id: plan.id } : { ...plan, password: undefined }
  }

  const hashed = async (plan: Writing): Promise<Writing & { phc?: string }> =>
    plan.password === undefined ? plan : { ...plan, phc: await hashing.hash(plan.password) }

  return Object.freeze({
    async plan(drafts: readonly Draft[]) {
      const keys = drafts.map((draft) => draft.key)
      const rows =
        keys.length === 0 ? [] : await db.selectFrom('people').selectAll().where('username_key', 'in', keys).execute()
      const byKey = Map.groupBy(rows, (row) => row.username_key)
      const plans = drafts.map((draft) => planOne(draft, byKey.get(draft.key) ?? []))
      return inTurns(plans, settled)
    },

    async write(plans: Plan[], by: string) {
      const ready = await inTurns(
        plans.filter((plan): plan is Writing => plan.result === 'added' || plan.result === 'changed'),
        hashed,
      )
      if (ready.length === 0) return 0
      let written = ready
      try {
        await db.transaction().execute((trx) => put(trx, ready, by))
      } catch {
        // one of them does not fit, for example a name that somebody took meanwhile: each by itself, so the others stay
        written = []
        for (const one of ready) {
          try {
            await db.transaction().execute((trx) => put(trx, [one], by))
            written.push(one)
          } catch (cause) {
            log.warn('import-row-failed', { person: one.id }, cause)
            const at = plans.findIndex((plan) => 'id' in plan && plan.id === one.id)
            plans[at] =
              cause instanceof Refusal && cause.code === 'last-administrator'
                ? refused(cause.code, 'nobody else could open the console any more')
                : refused('not-written', 'somebody changed this person or took this user name at the same moment')
          }
        }
      }
      for (const { id, result, password } of written) {
        if (result === 'changed' && password !== undefined) await changes.tellPasswordSet(id, by)
      }
      for (const { id, becomesDisabled } of written) {
        if (!becomesDisabled) continue
        await audit.record('person-disabled', { actor: by, subject: id, reason: 'import' })
        await changes.tellDisabled(id)
      }
      return written.length
    },
  })
}

const refused = (code: string, say: string): Plan => ({ result: 'refused', reason: `${code}: ${say}` })

const isAdministrator = (row: PeopleTable): boolean =>
  row.groups !== null && (JSON.parse(row.groups) as string[]).includes(ADMINISTRATORS)
