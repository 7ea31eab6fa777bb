/** Recovery codes: ten of them on paper, each good once. A look-up secret in the words of SP 800-63B §3.1.2. */
import type { Kysely } from 'kysely'
import { sha256 } from '#core/digest'
import { randomBytes, randomId } from '#core/random'
import type { Migration } from '#storage'
import { crockford, grouped, readCrockford } from '../base32.ts'
import { type Factor, type FactorParts, type FactorRow, typed } from '../factor.ts'
import { RECOVERY_CODES } from '../limits.ts'

type Tables = {
  factor_recovery_sets: {
    id: string
    person_id: string
    created_at: number
    last_used_at: number | null
    /** Whom they were made for, where that is an earlier id of the person. */
    made_for: string | null
  }
  factor_recovery_codes: { person_id: string; code_hash: string }
}

/**
 * 80 bits, 16 characters.
 * DEVIATION: SP 800-63B §3.1.2.2 wants a password hash for look-up secrets below 112 bits. Nobody tries 2^80 values, and
 * codes of 23 characters would be typed wrong on the one day they are needed; so a plain hash, salted by the person.
 */
const BYTES = 10
const CODE = /^[0-9A-HJKMNP-TV-Z]{16}$/

const hashOf = (personId: string, code: string): string => sha256(`recovery-code ${personId} ${code}`)

function create({ storage, clock }: FactorParts): Factor {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()

  return Object.freeze({
    // RFC 8176 has no word for codes on paper; `otp` is a password for one time, which they are
    description: Object.freeze({
      kind: 'recovery-code',
      of: ['possession'],
      phishingResistant: false,
      amr: ['otp'],
    } as const),
    lane: 'code',
    refusal: 'code-invalid',

    async enrolled(personId) {
      const set = await db
        .selectFrom('factor_recovery_sets')
        .selectAll()
        .where('person_id', '=', personId)
        .executeTakeFirst()
      if (!set) return []
      const { left } = await db
        .selectFrom('factor_recovery_codes')
        .select((e) => e.fn.countAll<number>().as('left'))
        .where('person_id', '=', personId)
        .executeTakeFirstOrThrow()
      const used = set.last_used_at === null ? {} : { lastUsedAt: Number(set.last_used_at) }
      const label = 'Recovery codes'
      return [
        { id: set.id, kind: 'recovery-code', label, createdAt: Number(set.created_at), left: Number(left), ...used },
      ]
    },

    async verify(input, { personId }) {
      const code = readCrockford(typed(input, 'code', 64) ?? '')
      if (personId === undefined || !CODE.test(code)) return { wrong: 'input-invalid' }
      const set = await db
        .selectFrom('factor_recovery_sets')
        .select('made_for')
        .where('person_id', '=', personId)
        .executeTakeFirst()
      // INVARIANT: the one statement that deletes the code is what makes it good once
      const spent = await db
        .deleteFrom('factor_recovery_codes')
        .where('person_id', '=', personId)
        .where('code_hash', '=', hashOf(set?.made_for ?? personId, code))
        .returning('code_hash')
        .executeTakeFirst()
      if (!spent) return { wrong: 'code-unknown' }
      await db
        .updateTable('factor_recovery_sets')
        .set({ last_used_at: clock.now() })
        .where('person_id', '=', personId)
        .execute()
      return { personId, amr: ['otp'] }
    },

    enrolment: {
      event: 'recovery-codes-made',
      tries: 0,
      begin: async () => ({ options: {} }),
      /** The codes from before are dead when this resolves. */
      async finish(_input, { personId }) {
        const id = randomId()
        const codes = Array.from({ length: RECOVERY_CODES }, () => crockford(randomBytes(BYTES)))
        await db.transaction().execute(async (transaction) => {
          await transaction.deleteFrom('factor_recovery_codes').where('person_id', '=', personId).execute()
          await transaction.deleteFrom('factor_recovery_sets').where('person_id', '=', personId).execute()
          const set = { id, person_id: personId, created_at: clock.now(), last_used_at: null, made_for: null }
          await transaction.insertInto('factor_recovery_sets').values(set).execute()
          const rows = codes.map((code) => ({ person_id: personId, code_hash: hashOf(personId, code) }))
          await transaction.insertInto('factor_recovery_codes').values(rows).execute()
        })
        return { id, codes: codes.map((code) => grouped(code, '-')) }
      },
    },

    async remove(personId, id) {
      const gone = await db
        .deleteFrom('factor_recovery_sets')
        .where('person_id', '=', personId)
        .where('id', '=', id)
        .returning('id')
        .executeTakeFirst()
      if (!gone) return 'absent'
      await db.deleteFrom('factor_recovery_codes').where('person_id', '=', personId).execute()
      return 'removed'
    },

    async removeAll(personId) {
      await db.deleteFrom('factor_recovery_codes').where('person_id', '=', personId).execute()
      const gone = await db
        .deleteFrom('factor_recovery_sets')
        .where('person_id', '=', personId)
        .returning('id')
        .execute()
      return gone.length
    },

    /** Never two sets in one: whoever prints new ones must be sure that all earlier ones are dead. */
    async move(from, into, on) {
      const tables: Kysely<Tables> = on
      const sets = await tables
        .selectFrom('factor_recovery_sets')
        .select(['person_id', 'made_for'])
        .where('person_id', 'in', [from, into])
        .execute()
      const theirs = sets.find((set) => set.person_id === from)
      if (!theirs) return 0
      if (sets.length > 1) {
        await tables.deleteFrom('factor_recovery_codes').where('person_id', '=', from).execute()
        await tables.deleteFrom('factor_recovery_sets').where('person_id', '=', from).execute()
        return 1
      }
      const { made_for } = theirs
      await tables.updateTable('factor_recovery_codes').set({ person_id: into }).where('person_id', '=', from).execute()
      await tables
        .updateTable('factor_recovery_sets')
        .set({ person_id: into, made_for: made_for ?? from })
        .where('person_id', '=', from)
        .execute()
      return 0
    },
  } satisfies Factor)
}

const migrations: readonly Migration[] = Object.freeze([
  {
    name: 'factors-003-recovery-codes',
    async up(records) {
      await records.schema
        .createTable('factor_recovery_sets')
        .addColumn('person_id', 'text', (c) => c.primaryKey())
        .addColumn('id', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_used_at', 'bigint')
        .execute()
      await records.schema
        .createTable('factor_recovery_codes')
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addColumn('code_hash', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('factor_recovery_codes_key', ['person_id', 'code_hash'])
        .execute()
    },
  },
  {
    name: 'factors-005-recovery-codes-of-earlier-ids',
    async up({ schema }) {
      await schema.alterTable('factor_recovery_sets').addColumn('made_for', 'text').execute()
    },
  },
])

export const recoveryCode: FactorRow = Object.freeze({ create, migrations })
