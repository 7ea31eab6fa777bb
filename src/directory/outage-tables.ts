/** What is kept for the time in which a directory cannot be asked. */
import type { Migration } from '#storage'

export type OutagesTable = {
  readonly directory: string
  /** When it was found out that it does not answer. */
  readonly since: number
  /** It answers again since, and not everybody has been judged anew. Null while it is down. */
  readonly back_at: number | null
}

export type ConfirmedTable = {
  readonly person_id: string
  readonly directory: string
  /** When the directory itself vouched for the person last. */
  readonly confirmed_at: number
  /** Of the password that it took last, in PHC string format; null where it took none, or it is none any more. */
  readonly phc: string | null
  readonly password_at: number | null
  /** When the entry had been changed, as the directory told with that password. Null where it does not tell. */
  readonly entry_changed_at: number | null
}

export type ToJudgeTable = {
  readonly person_id: string
  readonly directory: string
}

export type OutageTables = {
  directory_outages: OutagesTable
  directory_confirmed: ConfirmedTable
  directory_to_judge: ToJudgeTable
}

export const outageMigration: Migration = Object.freeze({
  name: 'directory-010-outages',
  async up({ schema }) {
    await schema
      .createTable('directory_outages')
      .addColumn('directory', 'text', (c) => c.primaryKey())
      .addColumn('since', 'bigint', (c) => c.notNull())
      .addColumn('back_at', 'bigint')
      .execute()
    await schema
      .createTable('directory_confirmed')
      .addColumn('person_id', 'text', (c) => c.primaryKey())
      .addColumn('directory', 'text', (c) => c.notNull())
      .addColumn('confirmed_at', 'bigint', (c) => c.notNull())
      .addColumn('phc', 'text')
      .addColumn('password_at', 'bigint')
      .addColumn('entry_changed_at', 'bigint')
      .execute()
    await schema
      .createIndex('directory_confirmed_age')
      .on('directory_confirmed')
      .columns(['directory', 'confirmed_at'])
      .execute()
    await schema
      .createTable('directory_to_judge')
      .addColumn('person_id', 'text', (c) => c.primaryKey())
      .addColumn('directory', 'text', (c) => c.notNull())
      .execute()
    await schema.createIndex('directory_to_judge_directory').on('directory_to_judge').column('directory').execute()
  },
} satisfies Migration)
