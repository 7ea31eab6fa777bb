/**
 * Receipts: every decision with its facts, under a reference that a person can read out over the phone. Deciding a
 * receipt's facts again with the same policies gives the same result.
 */
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import type { Clock, Instant } from '#core/clock'
import { randomInt } from '#core/random'
import { formatReference, parseReference, REFERENCE_LIMIT } from '#core/reference'
import type { Decision, Facts } from '#policy'
import type { Migration, Records, Storage } from '#storage'

export interface Receipt {
  /** `7K4Q-92MD` */
  readonly reference: string
  readonly at: Instant
  readonly person: string | undefined
  readonly app: string | undefined
  readonly outcome: Decision['outcome']
  readonly policy: string | undefined
  readonly rule: string | undefined
  /** Version of the policies that decided. */
  readonly policies: string
  readonly facts: Facts
}

export interface Receipts {
  /** Answers the reference. */
  add(facts: Facts, decision: Decision, person: string | undefined, app: string | undefined): Promise<string>
  find(reference: string): Promise<Receipt | undefined>
  /** Newest first. */
  ofPerson(person: string, limit: number): Promise<Receipt[]>
}

type Tables = {
  receipts: {
    id: number
    reference: number
    at: number
    person: string | null
    app: string | null
    outcome: string
    policy: string | null
    rule: string | null
    policies: string
    facts: string
  }
}

export const accessMigrations: readonly Migration[] = [
  {
    name: 'access-001-receipts',
    async up(records: Records) {
      await records.schema
        .createTable('receipts')
        .addColumn('id', 'integer', (c) => c.primaryKey())
        .addColumn('reference', 'bigint', (c) => c.notNull())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('person', 'text')
        .addColumn('app', 'text')
        .addColumn('outcome', 'text', (c) => c.notNull())
        .addColumn('policy', 'text')
        .addColumn('rule', 'text')
        .addColumn('policies', 'text', (c) => c.notNull())
        .addColumn('facts', 'text', (c) => c.notNull())
        .execute()
      // rows are only ever appended; the random reference lives in a small index of its own
      await records.schema.createIndex('receipts_reference').on('receipts').column('reference').unique().execute()
      await records.schema
        .createIndex('receipts_person')
        .on('receipts')
        .columns(['person', 'id'])
        .where('person', 'is not', null)
        .execute()
    },
  },
]

const MOST_COLLISIONS = 5

export function createReceipts(storage: Storage, clock: Clock): Receipts {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()
  const columns = ['reference', 'at', 'person', 'app', 'outcome', 'policy', 'rule', 'policies', 'facts'] as const
  // compiled once: this is the one row that every silent sign-on writes
  const insert: CompiledQuery = db
    .insertInto('receipts')
    .columns([...columns])
    .expression(db.selectNoFrom(columns.map((name) => sql`${0}`.as(name)) as never))
    .compile()

  return {
    async add(facts, decision, person, app) {
      const fixed = [
        clock.now(),
        person ?? null,
        app ?? null,
        decision.outcome,
        decision.policy ?? null,
        decision.rule ?? null,
        decision.versions.policies,
        JSON.stringify(facts),
      ]
      for (let tries = 0; ; tries++) {
        const reference = randomInt(REFERENCE_LIMIT)
        try {
          await db.executeQuery({ ...insert, parameters: [reference, ...fixed] })
          return formatReference(reference)
        } catch (error) {
          // two of 2^40 may meet; anything that keeps failing is not a collision
          if (tries >= MOST_COLLISIONS) throw error
        }
      }
    },

    async find(reference) {
      const number = parseReference(reference)
      if (number === undefined) return undefined
      const row = await db.selectFrom('receipts').selectAll().where('reference', '=', number).executeTakeFirst()
      return row && fromRow(row)
    },

    async ofPerson(person, limit) {
      const rows = await db
        .selectFrom('receipts')
        .selectAll()
        .where('person', '=', person)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
      return rows.map(fromRow)
    },
  }
}

const fromRow = (row: Tables['receipts']): Receipt => ({
  reference: formatReference(row.reference),
  at: row.at,
  person: row.person ?? undefined,
  app: row.app ?? undefined,
  outcome: row.outcome as Receipt['outcome'],
  policy: row.policy ?? undefined,
  rule: row.rule ?? undefined,
  policies: row.policies,
  facts: JSON.parse(row.facts),
})
