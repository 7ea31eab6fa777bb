/** The bookkeeping of migrations: each once, in order, in one transaction of its own, over all processes. */
import { type Kysely, sql } from 'kysely'
import type { Clock } from '#core/clock'
import { Refusal } from '#core/refusal'
import { inDialect } from './dialect.ts'
import type { OpenedRecords } from './driver.ts'
import type { Migration, Records } from './records.ts'

export interface MigrationState {
  readonly name: string
  readonly applied: boolean
  /** False where the database knows it and this version of Portico does not. */
  readonly known: boolean
}

type Tables = {
  migrations: { name: string; applied_at: number }
}

const withTables = (records: Records): Kysely<Tables> => records

async function hasTable(records: Records): Promise<boolean> {
  const found = inDialect(records, {
    sqlite: sql`select 1 from sqlite_schema where type = 'table' and name = 'migrations'`,
    postgres: sql`select 1 where to_regclass('migrations') is not null`,
  })
  return (await found.execute(records)).rows.length > 0
}

const createTable = (records: Records) =>
  records.transaction().execute(({ schema }) =>
    schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('name', 'text', (c) => c.primaryKey().notNull())
      .addColumn('applied_at', 'integer', (c) => c.notNull())
      .execute(),
  )

/** Of what changes a whole table nobody knows beforehand how long it takes. */
const unhurried = (transaction: Records) =>
  inDialect(transaction, {
    sqlite: undefined,
    postgres: sql`set local statement_timeout = 0`,
  })?.execute(transaction)

/**
 * Applies what is missing, in order. Two processes that start at once take turns: each looks again after it has the
 * writing connection (SQLite), or its turn. Throws `Refusal('storage-unavailable')` for a database of a newer version.
 */
export async function applyMigrations(
  records: Records,
  migrations: readonly Migration[],
  clock: Clock,
): Promise<string[]> {
  const names = migrations.map((migration) => migration.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`two migrations are called ${twice}`)

  // asked first: a process that starts while another one writes for long need not wait when there is nothing to do
  if (!(await hasTable(records))) await createTable(records)
  const before = await appliedNames(records)
  refuseNewer(before, names)
  const applied: string[] = []
  for (const migration of migrations) {
    if (before.has(migration.name)) continue
    const done = await withTables(records)
      .transaction()
      .execute(async (transaction) => {
        const there = await transaction
          .selectFrom('migrations')
          .select('name')
          .where('name', '=', migration.name)
          .executeTakeFirst()
        if (there) return false
        await unhurried(transaction)
        await carryOut(migration, transaction)
        await transaction.insertInto('migrations').values({ name: migration.name, applied_at: clock.now() }).execute()
        return true
      })
    if (done) applied.push(migration.name)
  }
  return applied
}

/** A migration that does not do on this database; nothing of it is there. */
export class MigrationFailed extends Error {
  readonly migration: string
  constructor(migration: string, cause: unknown) {
    super(`migration ${migration} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.migration = migration
  }
}

async function carryOut(migration: Migration, transaction: Records): Promise<void> {
  try {
    await migration.up(transaction)
  } catch (cause) {
    throw cause instanceof Refusal ? cause : new MigrationFailed(migration.name, cause)
  }
}

function refuseNewer(applied: ReadonlySet<string>, names: readonly string[]): void {
  const unknown = [...applied].filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new Refusal(
      'storage-unavailable',
      `the database was changed by a newer version of Portico (${unknown.join(', ')}); start that version, or restore a backup`,
    )
}

/** Carries out what is missing in one transaction and takes it back; answers the names. */
export async function rehearseMigrations(records: Records, migrations: readonly Migration[]): Promise<string[]> {
  const applied = (await hasTable(records)) ? await appliedNames(records) : new Set<string>()
  refuseNewer(
    applied,
    migrations.map(({ name }) => name),
  )
  const missing = migrations.filter(({ name }) => !applied.has(name))
  const over = new Error('rehearsed')
  try {
    await records.transaction().execute(async (transaction) => {
      await unhurried(transaction)
      for (const migration of missing) await carryOut(migration, transaction)
      throw over
    })
  } catch (error) {
    if (error !== over) throw error
  }
  return missing.map(({ name }) => name)
}

async function appliedNames(records: Records): Promise<Set<string>> {
  const rows = await withTables(records).selectFrom('migrations').select('name').orderBy('applied_at').execute()
  return new Set(rows.map((row) => row.name))
}

/** What is applied and what would be; for a database that does not exist yet, nothing is. Never changes anything. */
export async function readMigrationStatus(
  opened: Pick<OpenedRecords, 'records'> | undefined,
  migrations: readonly Migration[],
): Promise<MigrationState[]> {
  const applied = opened && (await hasTable(opened.records)) ? await appliedNames(opened.records) : new Set<string>()
  const known = new Set(migrations.map((migration) => migration.name))
  return [
    ...migrations.map(({ name }) => ({ name, applied: applied.has(name), known: true })),
    ...[...applied].filter((name) => !known.has(name)).map((name) => ({ name, applied: true, known: false })),
  ]
}
