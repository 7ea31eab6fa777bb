/** What is kept of failures, read and written. */
import type { Kysely } from 'kysely'
import type { Instant } from '#core/clock'
import { formatReference, parseReference } from '#core/reference'
import type { Storage } from '#storage'
import type { FailureRow, Tables } from './tables.ts'

/** The last failure of an app by one cause. */
export interface Diagnosed {
  readonly app: string
  readonly cause: string
  readonly stage: string
  readonly likely: boolean
  readonly said: string
  readonly fix: readonly string[]
  /** That the page shows on which somebody is stopped: the same for all whom the same cause stops at the same app. */
  readonly reference: string
  readonly count: number
  readonly firstAt: Instant
  readonly lastAt: Instant
  /** Of the first success after it. */
  readonly mendedAt: Instant | undefined
}

const PREFIX = /^\s*E\s*-?\s*/i

/** `E-7K4Q-92MD`, also as somebody says it over the telephone; undefined where it is none of these. */
export function failureReference(text: string): string | undefined {
  const number = PREFIX.test(text) ? parseReference(text.replace(PREFIX, '')) : undefined
  return number === undefined ? undefined : `E-${formatReference(number)}`
}

const diagnosed = ({ likely, fix, first_at, last_at, mended_at, ...row }: FailureRow): Diagnosed => ({
  ...row,
  likely: likely === 1,
  fix: JSON.parse(fix),
  firstAt: first_at,
  lastAt: last_at,
  mendedAt: mended_at ?? undefined,
})

export function createFailureRecords({ records }: Pick<Storage, 'records'>) {
  const db: Kysely<Tables> = records

  return {
    /**
     * Adds to what is there; where that was mended, the count begins anew. Answers the reference, which stays what it was:
     * somebody may have read it out already.
     */
    async add(row: Omit<FailureRow, 'mended_at'>): Promise<string> {
      const { app: _app, cause: _cause, reference: _reference, count: _count, first_at: _first, ...changed } = row
      const { reference } = await db
        .insertInto('app_failures')
        .values({ ...row, mended_at: null })
        .onConflict((conflict) =>
          conflict.columns(['app', 'cause']).doUpdateSet(({ ref, eb }) => {
            const open = eb('app_failures.mended_at', 'is', null)
            return {
              ...changed,
              count: eb
                .case()
                .when(open)
                .then(eb('app_failures.count', '+', ref('excluded.count')))
                .else(ref('excluded.count'))
                .end(),
              first_at: eb.case().when(open).then(ref('app_failures.first_at')).else(ref('excluded.first_at')).end(),
              mended_at: null,
            }
          }),
        )
        .returning('reference')
        .executeTakeFirstOrThrow()
      return reference
    },

    async find(app: string, cause: string): Promise<Diagnosed | undefined> {
      const row = await db
        .selectFrom('app_failures')
        .selectAll()
        .where('app', '=', app)
        .where('cause', '=', cause)
        .executeTakeFirst()
      return row && diagnosed(row)
    },

    /** The newest first. */
    async ofApp(app: string): Promise<Diagnosed[]> {
      const rows = await db
        .selectFrom('app_failures')
        .selectAll()
        .where('app', '=', app)
        .orderBy('last_at', 'desc')
        .orderBy('cause')
        .execute()
      return rows.map(diagnosed)
    },

    async byReference(reference: string): Promise<Diagnosed | undefined> {
      const row = await db.selectFrom('app_failures').selectAll().where('reference', '=', reference).executeTakeFirst()
      return row && diagnosed(row)
    },

    /** What no success has followed yet. */
    open: () => db.selectFrom('app_failures').select(['app', 'stage']).where('mended_at', 'is', null).execute(),

    async mend(app: string, stages: readonly string[], at: Instant): Promise<void> {
      await db
        .updateTable('app_failures')
        .set({ mended_at: at })
        .where('app', '=', app)
        .where('stage', 'in', stages)
        .where('mended_at', 'is', null)
        .execute()
    },

    async apps(): Promise<string[]> {
      const rows = await db.selectFrom('app_failures').select('app').distinct().execute()
      return rows.map(({ app }) => app)
    },

    async forget(app: string): Promise<void> {
      await db.deleteFrom('app_failures').where('app', '=', app).execute()
    },

    async forgetOlder(than: Instant): Promise<void> {
      await db.deleteFrom('app_failures').where('last_at', '<', than).execute()
    },
  }
}

export type FailureRecords = ReturnType<typeof createFailureRecords>
