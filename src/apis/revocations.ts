/**
 * What ends tokens that nobody has to ask us about: single ones, and all that a client, a person or a session had until a moment.
 * Durable, known to every process at its next request, and told to gateways (`/oauth2/revoked`).
 *
 * INVARIANT: an entry stays for as long as a token can live that it ends.
 */
import type { Kysely } from 'kysely'
import type { Audit } from '#audit'
import { type Clock, hours, type Instant } from '#core/clock'
import type { Records, Storage } from '#storage'
import type { AccessToken } from './access-token.ts'
import type { RevokedKind, Tables } from './tables.ts'

export interface Revoked {
  readonly kind: RevokedKind
  /** Of a token its `jti`. */
  readonly id: string
  /** What was issued until then is over. */
  readonly at: Instant
  /** Then the entry goes: nothing that it ends lives on. */
  readonly until: Instant
}

/** As of the moment of the call; the same object until something changes. */
export interface RevokedSet {
  readonly entries: readonly Revoked[]
  has(token: Pick<AccessToken, 'id' | 'client' | 'subject' | 'session' | 'issuedAt'>): boolean
}

export interface Revocations {
  /** `until`: when the last token ends of itself; a day from now unless given. `on`: the transaction that this belongs to. */
  revoke(what: Pick<Revoked, 'kind' | 'id'> & { readonly until?: Instant }, by: string, on?: Records): Promise<void>
  current(): RevokedSet | Promise<RevokedSet>
  /** Removes what is over; answers how many. */
  tidy(): Promise<number>
}

/** The longest that a token of an API can live (`api.ts`), and what clocks may differ by. */
const LONGEST = hours(25)
/** There is one list of them. */
const ONE = ''

export interface RevocationsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
}

export function openRevocations({ storage, clock, audit }: RevocationsOptions): Revocations {
  const records: Kysely<Tables> = storage.records.withTables<Tables>()
  const kept = storage.keep('token_revocations', undefined, async () => {
    const rows = await records.selectFrom('token_revocations').selectAll().orderBy('until').orderBy('id').execute()
    return setOf(rows.map(({ kind, id, at, until }) => ({ kind, id, at: Number(at), until: Number(until) })))
  })

  return Object.freeze({
    async revoke({ kind, id, until }: Parameters<Revocations['revoke']>[0], by: string, on?: Records) {
      const now = clock.now()
      const row = { kind, id, at: now, until: until ?? now + LONGEST }
      const write = async (tables: Kysely<Tables>) => {
        await tables
          .insertInto('token_revocations')
          .values(row)
          .onConflict((one) => one.columns(['kind', 'id']).doUpdateSet({ at: row.at, until: row.until }))
          .execute()
        await audit.record('tokens-revoked', { actor: by, ...about(kind, id) }, tables)
      }
      if (on) await write(on as Kysely<Tables>)
      else await records.transaction().execute(write)
    },
    current: () => kept.known(ONE) ?? kept.of(ONE).then((set) => set!),
    async tidy() {
      const gone = await records
        .deleteFrom('token_revocations')
        .where('until', '<=', clock.now())
        .returning('id')
        .execute()
      return gone.length
    },
  })
}

const about = (kind: RevokedKind, id: string) =>
  ({ token: { reason: id }, client: { app: id }, subject: { subject: id }, session: { session: id } })[kind]

/** Times in tokens are whole seconds: what was issued in the second of the end is over as well. */
const second = (at: Instant): number => Math.floor(at / 1000)

function setOf(entries: readonly Revoked[]): RevokedSet {
  const ends = new Map(entries.map(({ kind, id, at }) => [`${kind} ${id}`, at]))
  const over = (kind: RevokedKind, id: string | undefined, issuedAt: Instant): boolean => {
    const at = id === undefined ? undefined : ends.get(`${kind} ${id}`)
    return at !== undefined && (kind === 'token' || second(issuedAt) <= second(at))
  }
  return Object.freeze({
    entries,
    has: ({ id, client, subject, session, issuedAt }: AccessToken) =>
      ends.size > 0 &&
      (over('token', id, issuedAt) ||
        over('client', client, issuedAt) ||
        over('subject', subject, issuedAt) ||
        over('session', session, issuedAt)),
  })
}
