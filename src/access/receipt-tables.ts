/** The tables of receipts, and how the rows of the first version became those of the second. */
import { type Generated, type Kysely, sql } from 'kysely'
import type { Migration, Records } from '#storage'
import { splitFacts } from './receipt-parts.ts'

export type ReceiptTables = {
  /** One compact row for each decision. */
  receipts: {
    id: Generated<number>
    at: number
    /** Milliseconds from the beginning of the request to the decision. */
    started: number | null
    /** The part that tells about the person and where they are. */
    who: number
    /** The part that tells what was asked and what came of it. */
    what: number
    /** What no other receipt shares, as JSON; mostly nothing. */
    own: string | null
  }
  /** What receipts have in common, stored once. */
  receipt_parts: {
    id: Generated<number>
    /** Of the text: two processes that meet the same part store it once. */
    hash: string
    person: string | null
    /** Day since 1970 on which it was last used; only of parts that tell what. */
    used: number | null
    /** Empty where the person was removed. */
    text: string
  }
}

type FirstTable = {
  id: number
  at: number
  person: string | null
  app: string | null
  outcome: string
  policy: string | null
  rule: string | null
  policies: string
  facts: string
}

const STEP = 1000

async function createTables({ schema }: Records): Promise<void> {
  await schema
    .createTable('receipt_parts')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('person', 'text')
    .addColumn('used', 'integer')
    .addColumn('text', 'text', (c) => c.notNull())
    .execute()
  await schema.createIndex('receipt_parts_hash').on('receipt_parts').column('hash').unique().execute()
  await schema
    .createIndex('receipt_parts_person')
    .on('receipt_parts')
    .column('person')
    .where('person', 'is not', null)
    .execute()
  await schema
    .createIndex('receipt_parts_used')
    .on('receipt_parts')
    .column('used')
    .where('used', 'is not', null)
    .execute()
  await schema
    .createTable('receipts')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('started', 'bigint')
    .addColumn('who', 'integer', (c) => c.notNull())
    .addColumn('what', 'integer', (c) => c.notNull())
    .addColumn('own', 'text')
    .execute()
  await schema.createIndex('receipts_who').on('receipts').column('who').execute()
}

/** Keeps the numbers of the rows, and with them the references that people were given. */
async function convert(db: Kysely<ReceiptTables & { receipts_1: FirstTable }>): Promise<void> {
  const part = async (values: { hash: string; person: string | null; used: number | null; text: string }) => {
    await db
      .insertInto('receipt_parts')
      .values(values)
      .onConflict((conflict) => conflict.column('hash').doNothing())
      .execute()
    return (await db.selectFrom('receipt_parts').select('id').where('hash', '=', values.hash).executeTakeFirstOrThrow())
      .id
  }
  for (let after = -1; ; ) {
    const rows = await db
      .selectFrom('receipts_1')
      .selectAll()
      .where('id', '>', after)
      .orderBy('id')
      .limit(STEP)
      .execute()
    for (const { id, at, person, app, outcome, policy, rule, policies, facts } of rows) {
      const forgotten = facts === '{}'
      const decided = { outcome, policy, rule, versions: { policies, facts: 1 } } as Parameters<typeof splitFacts>[1]
      const known = forgotten ? { request: {}, ...(app === null ? {} : { app: { id: app } }) } : JSON.parse(facts)
      const { who, what, ...row } = splitFacts(known, decided, at)
      const whoId = await part({
        hash: forgotten ? `${FORGOTTEN}${person ?? id}` : who.hash,
        person,
        used: null,
        text: forgotten ? '' : who.text,
      })
      const whatId = await part({ hash: what.hash, person: null, used: dayOf(at), text: what.text })
      await db
        .insertInto('receipts')
        .values({ id, at: row.at, started: row.started, who: whoId, what: whatId, own: row.own })
        .execute()
      after = id
    }
    if (rows.length < STEP) return
  }
}

/** Begins what takes the place of a hash that could be compared with guesses. */
export const FORGOTTEN = 'forgotten '

export const dayOf = (at: number): number => Math.floor(at / 86_400_000)

export const receiptMigrations: readonly Migration[] = [
  {
    name: 'access-001-receipts',
    async up({ schema }: Records) {
      await schema
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
      await schema
        .createIndex('receipts_person')
        .on('receipts')
        .columns(['person', 'id'])
        .where('person', 'is not', null)
        .execute()
    },
  },
  {
    name: 'access-002-compact-receipts',
    async up(records: Records) {
      await sql`alter table receipts rename to receipts_1`.execute(records)
      await createTables(records)
      await convert(records)
      await records.schema.dropTable('receipts_1').execute()
    },
  },
]
