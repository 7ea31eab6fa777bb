/** How far the mirror of a directory is: one row for each directory, one for each person that a sync has seen. */
import { sql } from 'kysely'
import type { Migration } from '#storage'

export type SyncsTable = {
  readonly directory: string
  /** Counts up, also where a broken run goes on; people carry the number of the run that saw them last. */
  readonly run: number
  /** With which number the run began that may have been broken off since. */
  readonly first_run: number
  /** `all` or `changed`, see `SyncReading`. */
  readonly scope: string
  /** 1 from the beginning until everything was concluded: what an interrupted run leaves behind. */
  readonly open: number
  /** Where the next run reads on: what the directory's kind gave at the end of the last complete one. */
  readonly mark: string | null
  readonly began_at: number
  readonly ended_at: number | null
  /** When everybody was read for the last time. */
  readonly full_at: number | null
  /** JSON: `SyncCounts` of this run so far. */
  readonly counts: string
  /** The number of the last complete run that read everybody: whom it did not see is not spoken for. */
  readonly full_run: number | null
  /** Since when a complete run vouches for the groups of everybody for whom it speaks: the instant at which it began. */
  readonly groups_at: number | null
}

export type SyncedTable = {
  readonly person_id: string
  readonly directory: string
  /** How groups of the directory name the person; empty where it is not known. */
  readonly place: string
  /** The run that saw the person last. */
  readonly seen: number
  /** 1 where that run was told the person's groups, all of them. */
  readonly groups_told: number
}

/** Rows of before are spoken for by the next run that reads everybody. */
export const syncGroupsMigration: Migration = Object.freeze({
  name: 'directory-040-groups-as-of',
  async up({ schema }) {
    for (const [column, type] of [
      ['full_run', 'integer'],
      ['groups_at', 'bigint'],
    ] as const)
      await schema.alterTable('directory_syncs').addColumn(column, type).execute()
    await schema
      .alterTable('directory_synced')
      .addColumn('groups_told', 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
  },
} satisfies Migration)

export const syncMigration: Migration = Object.freeze({
  name: 'directory-020-sync',
  async up(records) {
    const { schema } = records
    await sql`alter table people add column gone_at bigint`.execute(records)
    await schema
      .createTable('directory_syncs')
      .addColumn('directory', 'text', (c) => c.primaryKey())
      .addColumn('run', 'integer', (c) => c.notNull())
      .addColumn('first_run', 'integer', (c) => c.notNull())
      .addColumn('scope', 'text', (c) => c.notNull())
      .addColumn('open', 'integer', (c) => c.notNull())
      .addColumn('mark', 'text')
      .addColumn('began_at', 'bigint', (c) => c.notNull())
      .addColumn('ended_at', 'bigint')
      .addColumn('full_at', 'bigint')
      .addColumn('counts', 'text', (c) => c.notNull())
      .execute()
    await schema
      .createTable('directory_synced')
      .addColumn('person_id', 'text', (c) => c.notNull())
      .addColumn('directory', 'text', (c) => c.notNull())
      .addColumn('place', 'text', (c) => c.notNull())
      .addColumn('seen', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('directory_synced_key', ['person_id', 'directory'])
      .execute()
  },
} satisfies Migration)
