/**
 * Our keys towards SAML apps. Apps pin certificates, and many are told of a new one by hand: so a key lives until somebody
 * rotates it, a successor stands in the metadata long before it signs, and the old one stays there for a while afterwards.
 * Made when first needed: a gateway without SAML apps has none.
 */
import { createPrivateKey, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import type { Kysely, Selectable } from 'kysely'
import type { Audit } from '#audit'
import { type Clock, days, type Instant, type Millis, seconds } from '#core/clock'
import type { Keys } from '#keys'
import { type SigningPair, selfSigned } from '#saml'
import type { Storage } from '#storage'
import type { SamlTables } from './tables.ts'

export type SamlKeyState = 'upcoming' | 'signing' | 'retiring'

export interface SamlKey {
  /** SHA-256 of the certificate, in hex. */
  readonly id: string
  readonly state: SamlKeyState
  /** PEM. */
  readonly certificate: string
  readonly createdAt: Instant
  readonly signsFrom: Instant
  /** When it leaves the metadata; only for keys that have a successor. */
  readonly retiresAt?: Instant
}

export interface SamlKeys {
  /** The published ones, the signing one first; none before any was needed. */
  list(): Promise<SamlKey[]>
  /** What signs now; the first key is made where there is none. */
  signing(): Promise<SigningPair>
  /** Like `list`, with the first key made where there is none. */
  published(): Promise<SamlKey[]>
  /**
   * Gives the key a successor that is published now and signs `after` so long. Where one is waiting already, none is made.
   * Answers the successor. `by`: a person's id, `cli` or `system`.
   */
  rotate(after: Millis, by: string): Promise<SamlKey>
  /**
   * Where somebody else may have the key: a successor signs from now on, and every key before it leaves the metadata and is
   * erased. One that was waiting is taken, for apps may know it already. Answers the successor, and the ids of those gone.
   */
  replace(by: string): Promise<{ readonly successor: SamlKey; readonly gone: readonly string[] }>
  /** Reads what other processes did, and erases what has retired: to be called every minute or so. */
  refresh(): Promise<void>
}

export interface SamlKeysOptions {
  readonly storage: Pick<Storage, 'records'>
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
  readonly keys: Pick<Keys, 'seal' | 'unseal'>
  /** Stands in the certificate. */
  readonly name: string
}

/** Enough until 2030 and beyond (NIST SP 800-57 part 1), and apps verify it; a larger one signs five times slower. */
const BITS = 2048
/** So long apps have to read the metadata, or their administrators to be told. */
export const PUBLISHED_BEFORE: Millis = days(14)
/** After it signed last: apps that read metadata seldom must not miss the one that the last answer was signed with. */
const PUBLISHED_AFTER: Millis = days(7)
/** So soon every process follows what another one did: a key that somebody else has must not sign on. */
const READ_AGAIN: Millis = seconds(1)
const ALGORITHM = 'saml-rsa-sha256'

// in a thread of its own, so that nobody waits for the prime numbers
const generate = promisify(generateKeyPair) as (type: 'rsa', options: object) => Promise<{ privateKey: KeyObject }>
const recordId = (id: string): string => `saml-key:${id}`

type Row = Selectable<SamlTables['saml_keys']>
interface Held extends Omit<SamlKey, 'state'> {
  readonly generation: number
  readonly pair: SigningPair
}

export function createSamlKeys({ storage, clock, audit, keys, name }: SamlKeysOptions): SamlKeys {
  const db: Kysely<SamlTables> = storage.records
  let held: readonly Held[] | undefined
  let heldSince = 0
  let loading: Promise<readonly Held[]> | undefined

  const hold = (row: Row): Held => ({
    id: row.id,
    generation: Number(row.generation),
    certificate: row.certificate,
    createdAt: Number(row.created_at),
    signsFrom: Number(row.signs_from),
    ...(row.retires_at === null ? {} : { retiresAt: Number(row.retires_at) }),
    // a key held already is not opened again
    pair: held?.find(({ id }) => id === row.id)?.pair ?? {
      key: createPrivateKey(keys.unseal(row.private_sealed!, recordId(row.id)).toString()),
      certificate: row.certificate,
    },
  })

  async function load(): Promise<readonly Held[]> {
    const rows = await db
      .selectFrom('saml_keys')
      .selectAll()
      .where('private_sealed', 'is not', null)
      .orderBy('generation')
      .execute()
    held = rows.map(hold)
    heldSince = clock.now()
    return held
  }

  const living = (all: readonly Held[]): readonly Held[] =>
    all.filter(({ retiresAt }) => retiresAt === undefined || retiresAt > clock.now())
  /** INVARIANT: as long as there is a key, exactly one signs, even after the clock was set back. */
  const signingOf = (all: readonly Held[]): Held | undefined =>
    living(all).findLast(({ signsFrom }) => signsFrom <= clock.now()) ?? living(all)[0]

  /** Everything before that generation that would stay longer. */
  const retire = (on: Kysely<SamlTables>, generation: number, at: Instant) =>
    on
      .updateTable('saml_keys')
      .set({ retires_at: at })
      .where('generation', '<', generation)
      .where('private_sealed', 'is not', null)
      .where((e) => e.or([e('retires_at', 'is', null), e('retires_at', '>', at)]))
      .execute()

  /** INVARIANT: of two processes that make the same generation one wins, and both take what is there then. */
  async function add(generation: number, signsFrom: Instant, retiresAt?: Instant): Promise<boolean> {
    const { privateKey } = await generate('rsa', { modulusLength: BITS })
    const at = clock.now()
    const certificate = selfSigned(privateKey, name, at)
    const id = new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()
    const done = await db.transaction().execute(async (transaction) => {
      const made = await transaction
        .insertInto('saml_keys')
        .values({
          id,
          generation,
          certificate,
          private_sealed: keys.seal(privateKey.export({ type: 'pkcs8', format: 'pem' }), recordId(id)),
          created_at: at,
          signs_from: signsFrom,
          retires_at: null,
        })
        .onConflict((conflict) => conflict.column('generation').doNothing())
        .returning('id')
        .executeTakeFirst()
      if (made && retiresAt !== undefined) await retire(transaction, generation, retiresAt)
      return made !== undefined
    })
    if (done) await audit.record('key-made', { actor: 'system', key: id, reason: ALGORITHM })
    return done
  }

  /** With the first key, once, whoever asks. */
  function ready(): Promise<readonly Held[]> {
    loading ??= (async () => {
      const there = await load()
      if (there.length > 0) return there
      await add(1, clock.now())
      return load()
    })().finally(() => {
      loading = undefined
    })
    return loading
  }

  const current = async (): Promise<readonly Held[]> =>
    held && held.length > 0 && Math.abs(clock.now() - heldSince) < READ_AGAIN ? held : ready()

  function described(all: readonly Held[]): SamlKey[] {
    const signing = signingOf(all)
    const stateOf = ({ generation }: Held): SamlKeyState =>
      generation === signing?.generation ? 'signing' : generation > signing!.generation ? 'upcoming' : 'retiring'
    return living(all)
      .map((one) => {
        const { pair: _pair, generation: _generation, ...key } = one
        return { ...key, state: stateOf(one) }
      })
      .sort((a, b) => Number(b.state === 'signing') - Number(a.state === 'signing'))
  }

  const waitingOf = (all: readonly Held[]): SamlKey | undefined =>
    described(all).find(({ state }) => state === 'upcoming')

  async function erase(): Promise<void> {
    const gone = await db
      .updateTable('saml_keys')
      .set({ private_sealed: null })
      .where('retires_at', '<=', clock.now())
      .where('private_sealed', 'is not', null)
      .returning('id')
      .execute()
    for (const { id } of gone) await audit.record('key-retired', { actor: 'system', key: id, reason: ALGORITHM })
  }

  const replace: SamlKeys['replace'] = async (by) => {
    const before = await ready()
    const now = clock.now()
    const waiting = before.find(({ id }) => id === waitingOf(before)?.id)
    if (waiting)
      await db.transaction().execute(async (transaction) => {
        await transaction.updateTable('saml_keys').set({ signs_from: now }).where('id', '=', waiting.id).execute()
        await retire(transaction, waiting.generation, now)
      })
    // where another process was first, its key is the successor
    else if (!(await add(before.at(-1)!.generation + 1, now, now))) return replace(by)
    await erase()
    const all = described(await load())
    const [successor] = all
    await audit.record('key-rotated', { actor: by, key: successor!.id, reason: ALGORITHM })
    const gone = before.map(({ id }) => id).filter((id) => all.every((one) => one.id !== id))
    return { successor: successor!, gone }
  }

  return Object.freeze({
    list: async () => described(await load()),
    signing: async () => signingOf(await current())!.pair,
    published: async () => described(await current()),

    async rotate(after: Millis, by: string) {
      await ready()
      const before = await load()
      const found = waitingOf(before)
      if (found) return found
      const signsFrom = clock.now() + after
      const made = await add(before.at(-1)!.generation + 1, signsFrom, signsFrom + PUBLISHED_AFTER)
      const all = await load()
      const successor = all.at(-1)!
      if (made) await audit.record('key-rotated', { actor: by, key: successor.id, reason: ALGORITHM })
      return described(all).find(({ id }) => id === successor.id)!
    },

    replace,

    async refresh() {
      await erase()
      if (held) await load()
    },
  })
}
