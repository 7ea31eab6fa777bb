/**
 * Published policies: every version with all its files, and the list of publications, of which the last one is in force.
 *
 * INVARIANT: rows are only added. A publication and the files it needs come in one transaction, so whoever looks sees the
 * old version or the new one, whole, whatever happens to the process that publishes.
 */
import type { Kysely } from 'kysely'
import type { Clock, Instant } from '#core/clock'
import { sha256Version } from '#core/digest'
import { Refusal } from '#core/refusal'
import { type Known, loadPolicies, type Policies, type PolicyFiles, readAhead } from '#policy'
import { isConflict, type Migration, markWrites, type Records, type Soon, type Storage } from '#storage'
import { lineageOf } from './lineage.ts'

export interface Publication {
  /** 1, 2, 3 … */
  readonly number: number
  readonly at: Instant
  /** `sha256:…` over the files: the same files have the same version. */
  readonly version: string
  readonly author: string
  readonly message: string
  /** What `policy rollback` made: an earlier version that is in force again. */
  readonly rollback: boolean
  /** The number of the publication that a rollback put in force again; null for others, and where it was made before 2026-12. */
  readonly restores: number | null
}

export interface NewPublication extends Omit<Publication, 'number' | 'at' | 'restores'> {
  readonly restores?: number
  readonly files: ReadonlyMap<string, string>
}

export interface Versions {
  /** Number of the publication in force; 0 while nothing was published. */
  head(): Promise<number>
  /** The same as of the beginning of the request, without a read where nobody has published. */
  recallHead(): Soon<number>
  /** The newest first. */
  list(limit: number): Promise<Publication[]>
  /** Those that led to the one in force, the first of all first; what was rolled back is not among them (`lineage.ts`). */
  lineage(): Promise<number[]>
  /** By number, by version or the beginning of one (8 hexadecimal digits at least), or `current`. */
  find(named: string): Promise<Publication | undefined>
  /** Undefined where it was never published, or where its files are not what they were. */
  files(version: string): Promise<PolicyFiles | undefined>
  /**
   * `also` writes with the same transaction what stands or falls with the publication.
   * @throws Refusal `state-conflict` when `head` is no longer the publication in force
   */
  add(
    publication: NewPublication,
    head: number,
    also?: (number: number, transaction: Records) => Promise<void>,
  ): Promise<Publication>
}

type Tables = {
  policy_publications: {
    id: number
    at: number
    version: string
    author: string
    message: string
    rollback: number
    restores: number | null
  }
  policy_versions: { version: string; files: string }
  policy_files: { hash: string; text: string }
}

export const versionMigrations: readonly Migration[] = [
  {
    name: 'access-003-policy-versions',
    async up({ schema }: Records) {
      await schema
        .createTable('policy_publications')
        .addColumn('id', 'integer', (c) => c.primaryKey())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('version', 'text', (c) => c.notNull())
        .addColumn('author', 'text', (c) => c.notNull())
        .addColumn('message', 'text', (c) => c.notNull())
        .addColumn('rollback', 'integer', (c) => c.notNull())
        .execute()
      await schema
        .createTable('policy_versions')
        .addColumn('version', 'text', (c) => c.primaryKey())
        .addColumn('files', 'text', (c) => c.notNull())
        .execute()
      // a list of thousands of sites stays the same over many versions
      await schema
        .createTable('policy_files')
        .addColumn('hash', 'text', (c) => c.primaryKey())
        .addColumn('text', 'text', (c) => c.notNull())
        .execute()
    },
  },
  {
    name: 'access-004-rollbacks',
    async up({ schema }: Records) {
      await schema.alterTable('policy_publications').addColumn('restores', 'integer').execute()
    },
  },
  {
    name: 'access-005-marked',
    async up(records) {
      await markWrites(records, 'policy_publications')
    },
  },
]

/** The folder's name in problems and in the lines of rules. */
const LABEL = 'policies'

export function openVersions(storage: Storage, clock: Clock): Versions {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()
  const rows = db.selectFrom('policy_publications').selectAll().orderBy('id', 'desc')

  const head = async (): Promise<number> => {
    const row = await db
      .selectFrom('policy_publications')
      .select((eb) => eb.fn.max('id').as('id'))
      .executeTakeFirst()
    return row?.id ?? 0
  }

  const kept = storage.keep('policy_publications', undefined, head)

  return {
    head,
    recallHead: () => kept.known('') ?? kept.of('').then((number) => number!),

    async list(limit) {
      return (await rows.limit(limit).execute()).map(fromRow)
    },

    async lineage() {
      const found = await db
        .selectFrom('policy_publications')
        .select(['id', 'version', 'rollback', 'restores'])
        .execute()
      const steps = found.map(({ id, rollback, ...row }) => ({ ...row, number: id, rollback: rollback === 1 }))
      return lineageOf(steps, Math.max(0, ...found.map(({ id }) => id)))
    },

    async find(named) {
      const digits = /^(?:sha256:)?([0-9a-f]{8,64})$/.exec(named)?.[1]
      const found = /^\d{1,7}$/.test(named)
        ? rows.where('id', '=', Number(named))
        : digits !== undefined
          ? rows.where('version', 'like', `sha256:${digits}%`)
          : named === 'current'
            ? rows
            : undefined
      const row = await found?.limit(1).executeTakeFirst()
      return row && fromRow(row)
    },

    async files(version) {
      const row = await db
        .selectFrom('policy_versions')
        .select('files')
        .where('version', '=', version)
        .executeTakeFirst()
      if (!row) return undefined
      const names = Object.entries(JSON.parse(row.files) as Record<string, string>)
      const hashes = [...new Set(names.map(([, hash]) => hash))]
      const texts = await db.selectFrom('policy_files').selectAll().where('hash', 'in', hashes).execute()
      const byHash = new Map(texts.map(({ hash, text }) => [hash, text]))
      const files = new Map(
        names.flatMap(([name, hash]) => (byHash.has(hash) ? [[name, byHash.get(hash)!] as const] : [])),
      )
      return { label: LABEL, files }
    },

    async add({ files, ...given }, expected, also) {
      const publication = { ...given, restores: given.restores ?? null }
      const names = [...files].map(([name, text]) => ({ name, hash: sha256Version(text), text }))
      const number = expected + 1
      const at = clock.now()
      try {
        await db.transaction().execute(async (trx) => {
          // INVARIANT: of two publishers at once one is first; the number is taken for the other
          await trx
            .insertInto('policy_publications')
            .values({ ...publication, id: number, at, rollback: publication.rollback ? 1 : 0 })
            .execute()
          for (const { hash, text } of names)
            await trx
              .insertInto('policy_files')
              .values({ hash, text })
              .onConflict((conflict) => conflict.column('hash').doNothing())
              .execute()
          const manifest = JSON.stringify(Object.fromEntries(names.map(({ name, hash }) => [name, hash])))
          await trx
            .insertInto('policy_versions')
            .values({ version: publication.version, files: manifest })
            .onConflict((conflict) => conflict.column('version').doNothing())
            .execute()
          await also?.(number, trx)
        })
      } catch (cause) {
        if (!isConflict(cause)) throw cause
        throw new Refusal('state-conflict', 'policies were published meanwhile', { cause })
      }
      return { ...publication, number, at }
    },
  }
}

const fromRow = ({ id, rollback, ...row }: Tables['policy_publications']): Publication => ({
  ...row,
  number: id,
  rollback: rollback === 1,
})

/**
 * A stored version, ready to decide; undefined where it is not stored, or is not what it was. Others are served meanwhile, and
 * what is in `known` is not read again.
 */
export async function policiesOf(versions: Versions, version: string, known?: Known): Promise<Policies | undefined> {
  const files = await versions.files(version)
  const policies = files && loadPolicies(files, await readAhead(files, known)).policies
  return policies?.version === version ? policies : undefined
}
