/**
 * What ends tokens that nobody has to ask us about: single ones, all of a grant, and all that a client, one of its keys, a
 * person or a session had until a moment. Durable, known to every process at its next request, and told to gateways
 * (`/oauth2/revoked`).
 *
 * INVARIANT: an entry stays for as long as a token can live that it ends.
 */
import { type Kysely, sql } from 'kysely'
import type { Audit } from '#audit'
import { type Clock, hours, type Instant } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Records, Storage } from '#storage'
import type { AccessToken } from './access-token.ts'
import type { RevokedKind, Tables } from './tables.ts'

export interface Revoked {
  readonly kind: RevokedKind
  /** Of a token its `jti`, of a key what `keyOf` makes of it. */
  readonly id: string
  /** What was issued until then is over. */
  readonly at: Instant
  /** Then the entry goes: nothing that it ends lives on. */
  readonly until: Instant
}

/** As of the moment of the call; the same object until something changes. */
export interface RevokedSet {
  readonly entries: readonly Revoked[]
  has(token: Revocable): boolean
  /** The last end of what it rests on: it lives where it was issued in a later second. */
  endOf(token: Omit<Revocable, 'id' | 'issuedAt'>): Instant | undefined
}

export type Revocable = Pick<
  AccessToken,
  'id' | 'client' | 'key' | 'subject' | 'session' | 'grant' | 'origin' | 'issuedAt'
>

/** What of a revocation somebody has to say. */
export interface Revoking extends Pick<Revoked, 'kind' | 'id'> {
  /** When the last token ends of itself; a day from now unless given. */
  readonly until?: Instant
  /** What was issued in the second of it, or before, is over; now unless given. Never moves back. */
  readonly at?: Instant
}

export interface Revocations {
  /** `on`: the transaction that this belongs to. */
  revoke(what: Revoking, by: string, on?: Records): Promise<void>
  current(): RevokedSet | Promise<RevokedSet>
  /** Removes what is over; answers how many. */
  tidy(): Promise<number>
}

/** The longest that a token of an API can live (`api.ts`), and what clocks may differ by. */
const LONGEST = hours(25)
/** There is one list of them. */
const ONE = ''
/** 96 bits: nobody finds a token that is taken for a revoked one, and whoever reads them learns no ids. */
const SHORT = 16

/** How the list that gateways poll names an id. */
export const shortId = (id: string): string => sha256(id).slice(0, SHORT)

/** A key of a client, by the thumbprint of its public half (RFC 7638). Another client may have the same one. */
export const keyOf = (client: string, thumbprint: string): string => `${client} ${thumbprint}`

export interface RevocationsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
}

export function openRevocations({ storage, clock, audit }: RevocationsOptions): Revocations {
  const records: Kysely<Tables> = storage.records.withTables<Tables>()
  let last: { readonly text: string; readonly set: RevokedSet } | undefined
  const kept = storage.keep('token_revocations', undefined, async () => {
    const rows = await records
      .selectFrom('token_revocations')
      .selectAll()
      .orderBy('until')
      .orderBy('kind')
      .orderBy('id')
      .execute()
    const entries = rows.map(({ kind, id, at, until }) => ({ kind, id, at: Number(at), until: Number(until) }))
    // PostgreSQL is asked each time: whoever makes something of the set must not do so each time
    const text = JSON.stringify(entries)
    if (last?.text !== text) last = { text, set: setOf(entries) }
    return last.set
  })

  return Object.freeze({
    async revoke({ kind, id, until, at }: Revoking, by: string, on?: Records) {
      const now = clock.now()
      const row = { kind, id, at: at ?? now, until: until ?? now + LONGEST }
      // what was issued after an end of this very second says the next one (`protocol/oidc/ended.ts`), and is over as well
      const again = at === undefined ? second(now) * 1000 : Number.MAX_SAFE_INTEGER
      const write = async (tables: Kysely<Tables>) => {
        const before = sql.ref<number>('token_revocations.at')
        const later = sql<number>`case when ${before} >= ${again} then ${before} + 1000
          when ${before} > ${row.at} then ${before} else ${row.at} end`
        await tables
          .insertInto('token_revocations')
          .values(row)
          .onConflict((one) => one.columns(['kind', 'id']).doUpdateSet({ at: later, until: row.until }))
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
  ({
    token: { reason: id },
    client: { app: id },
    key: { app: id.split(' ', 1)[0]!, reason: id },
    subject: { subject: id },
    session: { session: id },
    grant: { reason: id },
  })[kind]

/** Times in tokens are whole seconds: what was issued in the second of the end is over as well. */
const second = (at: Instant): number => Math.floor(at / 1000)

function setOf(entries: readonly Revoked[]): RevokedSet {
  const ends = new Map(entries.map(({ kind, id, at }) => [`${kind} ${id}`, at]))
  const at = (kind: RevokedKind, id: string | undefined): Instant =>
    (id === undefined ? undefined : ends.get(`${kind} ${id}`)) ?? Number.NEGATIVE_INFINITY
  const is = (kind: RevokedKind, id: string | undefined): boolean => id !== undefined && ends.has(`${kind} ${id}`)

  function endOf({ client, key, subject, session, origin }: Omit<Revocable, 'id' | 'issuedAt'>): Instant | undefined {
    const last = Math.max(
      at('client', client),
      at('key', key === undefined ? undefined : keyOf(client, key)),
      at('subject', subject),
      at('session', session),
      at('client', origin?.client),
    )
    return Number.isFinite(last) ? last : undefined
  }

  return Object.freeze({
    entries,
    endOf,
    has(token: Revocable) {
      if (ends.size === 0) return false
      if (is('token', token.id) || is('grant', token.grant) || is('token', token.origin?.id)) return true
      const end = endOf(token)
      return end !== undefined && second(token.issuedAt) <= second(end)
    },
  })
}
