/** The signing keys: made on the first start, rotated with overlap, forgotten when nothing signed by them can live. */
import type { JWK } from 'jose'
import type { Kysely, Selectable } from 'kysely'
import type { Clock, Instant, Millis } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Storage } from '#storage'
import { makeSigningKey } from './generate.ts'
import { ALGS, type Alg, isAlg, type Lifetime, published, type SigningKey } from './lifetime.ts'
import type { Sealing } from './sealing.ts'
import { createSigner, type Signer } from './signer.ts'
import type { KeysTables } from './tables.ts'

export interface Jwks {
  readonly keys: JWK[]
}

export interface Signing {
  /** Every published key. */
  list(): SigningKey[]
  /** RFC 7517 §5; what relying parties fetch. */
  publicJwks(): Jwks
  /** What signs with them; the one in use comes first of its algorithm. */
  signers(): readonly Signer[]
  /**
   * Gives each algorithm (or the one named) a successor, which signs after it has been published for `publishAhead`.
   * Where a successor is waiting already, none is made. Answers the successors. `by` is `system` unless given.
   */
  rotate(alg?: Alg, by?: string): Promise<SigningKey[]>
  /** Reads what other processes did. True as `refresh` says. */
  look(): Promise<boolean>
  /**
   * The same, and erases keys that are gone. True when what `signers` answers has changed
   * since the last call, also by the mere passing of time: call it every minute or so.
   */
  refresh(): Promise<boolean>
}

/** What this room needs of the audit trail; that room is a neighbour. */
export interface KeyAudit {
  record(
    event: 'key-made' | 'key-rotated' | 'key-retired',
    fields: { actor: string; key: string; reason: string },
  ): Promise<void>
}

export interface SigningOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly audit: KeyAudit
  readonly sealing: Sealing
  readonly publishAhead: Millis
  readonly keepFor: Millis
}

interface HeldKey extends Lifetime {
  readonly kid: string
  readonly createdAt: Instant
  readonly publicJwk: JWK
  readonly signer: Signer
}

type Row = Selectable<KeysTables['signing_keys']>
const recordId = (kid: string): string => `signing-key:${kid}`

export async function openSigning(options: SigningOptions): Promise<Signing> {
  const { storage, clock, log, audit, sealing, publishAhead, keepFor } = options
  const db: Kysely<KeysTables> = storage.records
  let held: readonly HeldKey[] = []

  const hold = (row: Row): HeldKey[] => {
    if (row.private_sealed === null || !isAlg(row.alg)) return []
    return [
      {
        kid: row.kid,
        alg: row.alg,
        generation: row.generation,
        createdAt: row.created_at,
        signsFrom: row.signs_from,
        retiresAt: row.retires_at,
        publicJwk: JSON.parse(row.public_jwk) as JWK,
        // a key held already is not opened again at every refresh
        signer:
          held.find(({ kid }) => kid === row.kid)?.signer ??
          createSigner(row.alg, row.kid, JSON.parse(sealing.unseal(row.private_sealed, recordId(row.kid)).toString())),
      },
    ]
  }
  const load = async () => {
    const rows = await db.selectFrom('signing_keys').selectAll().where('private_sealed', 'is not', null).execute()
    held = rows.flatMap(hold)
  }
  const now = () => published(held, clock.now())
  const describe = ({ key, state }: ReturnType<typeof now>[number]): SigningKey => ({
    kid: key.kid,
    alg: key.alg,
    state,
    createdAt: key.createdAt,
    signsFrom: key.signsFrom,
    ...(key.retiresAt === null ? {} : { retiresAt: key.retiresAt }),
  })
  const shape = () => JSON.stringify(now().map(({ key, state }) => [key.kid, state === 'signing']))

  /** Adds a successor, or the first key of all; answers undefined where another process or call was faster. */
  const succeed = async (alg: Alg, first: boolean): Promise<string | undefined> => {
    const made = await makeSigningKey(alg)
    const sealed = sealing.seal(JSON.stringify(made.privateJwk), recordId(made.kid))
    const done = await db.transaction().execute(async (transaction) => {
      const at = clock.now()
      const newest = await transaction
        .selectFrom('signing_keys')
        .select(['kid', 'generation', 'signs_from'])
        .where('alg', '=', alg)
        .orderBy('generation', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (newest && (first || newest.signs_from > at)) return false
      const signsFrom = newest ? at + publishAhead : at
      await transaction
        .insertInto('signing_keys')
        .values({
          kid: made.kid,
          alg,
          generation: (newest?.generation ?? 0) + 1,
          public_jwk: JSON.stringify(made.publicJwk),
          private_sealed: sealed,
          created_at: at,
          signs_from: signsFrom,
          retires_at: null,
        })
        .execute()
      if (newest) {
        // the predecessor signs until then, and what it signed last must still be verified for a whole token's life
        const retiresAt = signsFrom + keepFor
        await transaction
          .updateTable('signing_keys')
          .set({ retires_at: retiresAt })
          .where('kid', '=', newest.kid)
          .execute()
      }
      return true
    })
    if (!done) return undefined
    await audit.record('key-made', { actor: 'system', key: made.kid, reason: alg })
    return made.kid
  }

  const erase = async () => {
    const gone = await db
      .updateTable('signing_keys')
      .set({ private_sealed: null })
      .where('retires_at', '<=', clock.now())
      .where('private_sealed', 'is not', null)
      .returning(['kid', 'alg'])
      .execute()
    for (const { kid, alg } of gone) {
      await audit.record('key-retired', { actor: 'system', key: kid, reason: alg })
      log.info('signing-key-retired', { kid, alg })
    }
  }

  const look = async () => {
    await load()
    const shown = shape()
    const changed = shown !== seen
    seen = shown
    return changed
  }

  let seen = ''
  await load()
  const missing = ALGS.filter((alg) => !held.some((key) => key.alg === alg))
  if (missing.length > 0) {
    await Promise.all(missing.map((alg) => succeed(alg, true)))
    await load()
  }
  await erase()
  seen = shape()

  return Object.freeze({
    list: () => now().map(describe),
    publicJwks: () => ({ keys: now().map(({ key }) => key.publicJwk) }),
    signers: () => now().map(({ key }) => key.signer),

    async rotate(alg?: Alg, by = 'system') {
      await load()
      const wanted = alg === undefined ? [...ALGS] : [alg]
      if (!wanted.every(isAlg))
        throw new Refusal('input-invalid', `there are no signing keys for this algorithm; known: ${ALGS.join(', ')}`)
      const waiting = (of: Alg) => now().find(({ key, state }) => key.alg === of && state === 'upcoming')
      const made = await Promise.all(wanted.filter((of) => !waiting(of)).map((of) => succeed(of, false)))
      await load()
      for (const kid of made) {
        const key = held.find((one) => one.kid === kid)
        if (key) await audit.record('key-rotated', { actor: by, key: key.kid, reason: key.alg })
      }
      return wanted.flatMap((of) => waiting(of) ?? []).map(describe)
    },

    look,
    async refresh() {
      await erase()
      return look()
    },
  })
}
