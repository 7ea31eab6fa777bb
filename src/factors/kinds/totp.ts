/** Codes from an authenticator app: RFC 6238 with SHA-1, 6 digits, 30 seconds, which is what every such app can do. */

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Kysely } from 'kysely'
import { renderSVG } from 'uqr'
import { type Instant, seconds } from '#core/clock'
import { randomBytes, randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Migration } from '#storage'
import { base32 } from '../base32.ts'
import { type Factor, type FactorParts, type FactorRow, labelOf, typed } from '../factor.ts'
import { LIMITS, MOST_TOTPS } from '../limits.ts'

type Tables = {
  factor_totps: {
    id: string
    person_id: string
    secret: string
    last_step: number
    label: string
    created_at: number
    last_used_at: number | null
  }
}

/** RFC 4226 §4 R6 recommends 160 bits. */
const SECRET_BYTES = 20
const STEP = seconds(30)
const DIGITS = 6
/** RFC 6238 §5.2: one step in either direction, for clocks that differ and people who type slowly. */
const DRIFT = [-1, 0, 1]

/** RFC 4226 §5.3. */
export function hotp(secret: Uint8Array, counter: number, digits = DIGITS): string {
  const message = Buffer.alloc(8)
  message.writeBigUInt64BE(BigInt(counter))
  const mac = createHmac('sha1', secret).update(message).digest()
  const truncated = mac.readUInt32BE(mac[19]! & 15) & 0x7fffffff
  return String(truncated % 10 ** digits).padStart(digits, '0')
}

export const stepAt = (at: Instant): number => Math.floor(at / STEP)

/** The step that a code belongs to, or undefined. All are compared, whichever fits, in constant time. */
function stepOf(secret: Uint8Array, code: string, now: Instant): number | undefined {
  let found: number | undefined
  for (const drift of DRIFT) {
    const step = stepAt(now) + drift
    if (timingSafeEqual(Buffer.from(hotp(secret, step)), Buffer.from(code))) found = step
  }
  return found
}

/** Digits as apps show them, in groups or not. */
const digitsOf = (input: unknown): string | undefined => {
  const digits = (typed(input, 'code', 64) ?? '').replace(/[\s\p{Pd}]/gu, '')
  return /^\d{6}$/.test(digits) ? digits : undefined
}

const sealId = (id: string): string => `totp:${id}`

function create({ storage, clock, keys, organisation }: FactorParts): Factor {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()
  const rowsOf = (personId: string) =>
    db.selectFrom('factor_totps').selectAll().where('person_id', '=', personId).orderBy('created_at').execute()

  return Object.freeze({
    description: Object.freeze({ kind: 'totp', of: ['possession'], phishingResistant: false, amr: ['otp'] } as const),
    lane: 'code',
    refusal: 'code-invalid',

    async enrolled(personId) {
      return (await rowsOf(personId)).map((row) => ({
        id: row.id,
        kind: 'totp' as const,
        label: row.label,
        createdAt: Number(row.created_at),
        ...(row.last_used_at === null ? {} : { lastUsedAt: Number(row.last_used_at) }),
      }))
    },

    async verify(input, { personId }) {
      const code = digitsOf(input)
      if (personId === undefined || code === undefined) return { wrong: 'input-invalid' }
      const now = clock.now()
      let known = false
      for (const row of await rowsOf(personId)) {
        const step = stepOf(keys.unseal(row.secret, sealId(row.id)), code, now)
        if (step === undefined) continue
        known = true
        // INVARIANT (RFC 6238 §5.2): a step is accepted once, and none before it ever again, by this one statement
        const accepted = await db
          .updateTable('factor_totps')
          .set({ last_step: step, last_used_at: now })
          .where('id', '=', row.id)
          .where('last_step', '<', step)
          .returning('id')
          .executeTakeFirst()
        if (accepted) return { personId, amr: ['otp'], credential: row.id }
      }
      return { wrong: known ? 'code-used' : 'code-unknown' }
    },

    enrolment: {
      event: 'factor-enrolled',
      tries: LIMITS['totp-enrolment'].tries,

      /** The same secret again for who reloads the page, so that the code just photographed still fits. */
      async begin({ personId, username }, pending) {
        if ((await rowsOf(personId)).length >= MOST_TOTPS) throw new Refusal('factors-full', 'totp')
        const [id, sealed] = pending === undefined ? fresh() : (JSON.parse(pending) as [string, string])
        const secret = base32(keys.unseal(sealed, sealId(id)))
        const label = `${encodeURIComponent(organisation)}:${encodeURIComponent(username)}`
        const query = `secret=${secret}&issuer=${encodeURIComponent(organisation)}&algorithm=SHA1&digits=${DIGITS}&period=30`
        const uri = `otpauth://totp/${label}?${query}`
        const options = { uri, secret, qrSvg: renderSVG(uri, { border: 2 }) }
        return { options, pending: JSON.stringify([id, sealed]) }
      },

      async finish(input, { personId, label, pending }) {
        const code = digitsOf(input)
        if (code === undefined) return { wrong: 'input-invalid' }
        const [id, sealed] = JSON.parse(pending) as [string, string]
        const now = clock.now()
        const step = stepOf(keys.unseal(sealed, sealId(id)), code, now)
        if (step === undefined) return { wrong: 'code-unknown' }
        await db
          .insertInto('factor_totps')
          .values({
            id,
            person_id: personId,
            secret: sealed,
            // the code that proves the enrolment is spent by it
            last_step: step,
            label: labelOf(label, 'Authenticator app'),
            created_at: now,
            last_used_at: null,
          })
          .execute()
        return { id, proof: { amr: ['otp'], credential: id } }
      },
    },

    async remove(personId, id) {
      const gone = await db
        .deleteFrom('factor_totps')
        .where('person_id', '=', personId)
        .where('id', '=', id)
        .returning('id')
        .executeTakeFirst()
      return gone ? 'removed' : 'absent'
    },

    async removeAll(personId) {
      return (await db.deleteFrom('factor_totps').where('person_id', '=', personId).returning('id').execute()).length
    },

    /** Only where the other has none: with two apps nobody could say which shows the code that is asked for. */
    async move(from, into, on) {
      const tables: Kysely<Tables> = on
      const own = await tables.selectFrom('factor_totps').select('id').where('person_id', '=', into).executeTakeFirst()
      if (own)
        return (await tables.deleteFrom('factor_totps').where('person_id', '=', from).returning('id').execute()).length
      await tables.updateTable('factor_totps').set({ person_id: into }).where('person_id', '=', from).execute()
      return 0
    },
  } satisfies Factor)

  function fresh(): [string, string] {
    const id = randomId()
    return [id, keys.seal(randomBytes(SECRET_BYTES), sealId(id))]
  }
}

const migrations: readonly Migration[] = Object.freeze([
  {
    name: 'factors-002-totps',
    async up(records) {
      await records.schema
        .createTable('factor_totps')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addColumn('secret', 'text', (c) => c.notNull())
        .addColumn('last_step', 'bigint', (c) => c.notNull())
        .addColumn('label', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_used_at', 'bigint')
        .execute()
      await records.schema.createIndex('factor_totps_person').on('factor_totps').column('person_id').execute()
    },
  },
])

export const totp: FactorRow = Object.freeze({ create, migrations })
