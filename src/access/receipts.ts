/**
 * Receipts: every decision with its facts, under a reference that a person can read out over the phone. Deciding a
 * receipt's facts again with the same policies gives the same result.
 */
import { type Generated, type Kysely, type Selectable, sql } from 'kysely'
import type { Clock, Instant } from '#core/clock'
import { formatReference, parseReference } from '#core/reference'
import type { Decision, Facts } from '#policy'
import type { Migration, Records, Storage } from '#storage'
import { createNumbering } from './numbering.ts'

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
  /** Of somebody who was removed: what was decided stays, what was known about them goes. */
  forget(person: string): Promise<void>
  /** Newest first. */
  ofPerson(person: string, limit: number): Promise<Receipt[]>
}

type Tables = {
  receipts: {
    id: Generated<number>
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
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('person', 'text')
        .addColumn('app', 'text')
        .addColumn('outcome', 'text', (c) => c.notNull())
        .addColumn('policy', 'text')
        .addColumn('rule', 'text')
        .addColumn('policies', 'text', (c) => c.notNull())
        .addColumn('facts', 'text', (c) => c.notNull())
        .execute()
      await records.schema
        .createIndex('receipts_person')
        .on('receipts')
        .columns(['person', 'id'])
        .where('person', 'is not', null)
        .execute()
    },
  },
]

/** The label under which the key of the references is derived from the master key. */
export const RECEIPT_KEY = 'receipt references'

/** `key` shuffles the references. */
export function createReceipts(storage: Storage, clock: Clock, key: Buffer): Receipts {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()
  const { shuffle, restore } = createNumbering(key)
  const referenceOf = (id: number) => formatReference(shuffle(id))
  const columns = ['at', 'person', 'app', 'outcome', 'policy', 'rule', 'policies', 'facts'] as const
  // compiled once: this is the one row that every silent sign-on writes
  const insert = storage.prepare(
    db
      .insertInto('receipts')
      .columns([...columns])
      .values(Object.fromEntries(columns.map((name) => [name, sql`${0}`])) as never)
      .compile(),
  )
  const fromRow = (row: Selectable<Tables['receipts']>): Receipt => ({
    reference: referenceOf(row.id),
    at: row.at,
    person: row.person ?? undefined,
    app: row.app ?? undefined,
    outcome: row.outcome as Receipt['outcome'],
    policy: row.policy ?? undefined,
    rule: row.rule ?? undefined,
    policies: row.policies,
    facts: JSON.parse(row.facts),
  })

  return {
    async add(facts, decision, person, app) {
      const parameters = [
        clock.now(),
        person ?? null,
        app ?? null,
        decision.outcome,
        decision.policy,
        decision.rule,
        decision.versions.policies,
        JSON.stringify(facts),
      ]
      return referenceOf((await insert(parameters)).insertId)
    },

    async find(reference) {
      const number = parseReference(reference)
      if (number === undefined) return undefined
      const row = await db.selectFrom('receipts').selectAll().where('id', '=', restore(number)).executeTakeFirst()
      return row && fromRow(row)
    },

    async forget(person) {
      await db.updateTable('receipts').set({ facts: '{}' }).where('person', '=', person).execute()
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
