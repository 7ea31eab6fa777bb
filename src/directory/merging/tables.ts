/** The table of people who became one. */
import type { Migration } from '#storage'

/**
 * One row for each person who became part of another. It stays: an id that stands in receipts, in the trail and in apps
 * must lead to whom it is now.
 */
export type MergesTable = {
  /** Who is no more. */
  readonly absorbed_id: string
  /** Who they are now; never somebody who was absorbed themselves. */
  readonly survivor_id: string
  readonly from_directory: string
  readonly into_directory: string
  readonly home: 'from' | 'into'
  /** What the absorbed one was called. */
  readonly username: string
  readonly begun_by: string
  readonly begun_at: number
  /** Null until there is one row of `people` instead of two. */
  readonly merged_at: number | null
  /** Null until everything that was begun meanwhile has been moved as well. */
  readonly finished_at: number | null
}

export const mergeMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'directory-004-merges',
    async up({ schema }) {
      await schema
        .createTable('merges')
        .addColumn('absorbed_id', 'text', (c) => c.primaryKey())
        .addColumn('survivor_id', 'text', (c) => c.notNull())
        .addColumn('from_directory', 'text', (c) => c.notNull())
        .addColumn('into_directory', 'text', (c) => c.notNull())
        .addColumn('home', 'text', (c) => c.notNull())
        .addColumn('username', 'text', (c) => c.notNull())
        .addColumn('begun_by', 'text', (c) => c.notNull())
        .addColumn('begun_at', 'bigint', (c) => c.notNull())
        .addColumn('merged_at', 'bigint')
        .addColumn('finished_at', 'bigint')
        .execute()
      // never two of one directory, whoever merges at the same time
      await schema
        .createIndex('merges_once')
        .on('merges')
        .columns(['survivor_id', 'from_directory', 'into_directory'])
        .unique()
        .execute()
    },
  },
])
