/**
 * The root: what seals and derives everything, made once for a database and never changed. It is stored sealed by the master
 * key, so that the master key can be changed while servers run: they hold the root, and nothing sealed by it is touched.
 */
import { hkdfSync } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Clock } from '#core/clock'
import { randomBytes } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Storage } from '#storage'
import { createSealing } from './sealing.ts'
import type { KeysTables } from './tables.ts'

export interface Master {
  /** The master key's name, from which nobody learns the key. */
  readonly id: string
  /** From now on `to` opens this database as well; a third one that did no longer does. Answers the new key's name. */
  rewrap(to: Buffer): Promise<string>
  /** From now on nothing but the key that this process was given opens it. Answers how many keys no longer do. */
  finish(): Promise<number>
  /** The other way round: the key that this process was given no longer opens it. Nothing happens without a `rewrap`. */
  drop(): Promise<number>
}

type Where = Pick<Storage, 'records'>
const recordId = (id: string): string => `key-root:${id}`

const nameOf = (masterKey: Buffer): string =>
  Buffer.from(hkdfSync('sha256', masterKey, 'portico', 'name of the master key', 12)).toString('base64url')

const wrongKey = (): Refusal =>
  new Refusal(
    'sealed-record-invalid',
    'the master key does not open the stored signing keys; give the one this database was made with, or the one it was changed to',
  )

/** Whether a master key was used for this database. */
export async function isSealed({ records }: Where): Promise<boolean> {
  const db: Kysely<KeysTables> = records
  const [root, key] = await Promise.all([
    db.selectFrom('key_roots').select('slot').limit(1).executeTakeFirst(),
    db.selectFrom('signing_keys').select('kid').limit(1).executeTakeFirst(),
  ])
  return (root ?? key) !== undefined
}

/** Throws `Refusal('sealed-record-invalid')` where the database was made with another master key. */
export async function openRoot(
  storage: Where,
  masterKey: Buffer,
  clock: Clock,
): Promise<{ readonly root: Buffer; readonly master: Master }> {
  const db: Kysely<KeysTables> = storage.records
  const id = nameOf(masterKey)
  const find = async () => {
    const rows = await db.selectFrom('key_roots').selectAll().execute()
    const own = rows.find(({ master_key }) => master_key === id)
    if (!own && rows.length > 0) throw wrongKey()
    return own
  }
  let row = await find()
  if (!row) {
    const root = await firstRoot(db, masterKey)
    // INVARIANT: on the disk before anything is sealed with it. Of two processes that start at once the first one's counts
    if (root)
      await db
        .insertInto('key_roots')
        .values({ slot: 0, ...wrapped(root, masterKey), created_at: clock.now() })
        .onConflict((conflict) => conflict.column('slot').doNothing())
        .execute()
    row = await find()
  }
  if (!row) throw wrongKey()
  const { slot } = row
  const root = createSealing(masterKey).unseal(row.root_sealed, recordId(id))

  const master: Master = {
    id,
    async rewrap(to) {
      const next = { slot: 1 - slot, ...wrapped(root, to), created_at: clock.now() }
      if (next.master_key === id) return id
      await db.transaction().execute(async (transaction) => {
        await transaction.deleteFrom('key_roots').where('slot', '=', next.slot).execute()
        await transaction.insertInto('key_roots').values(next).execute()
      })
      return next.master_key
    },
    async finish() {
      const gone = await db.deleteFrom('key_roots').where('master_key', '!=', id).returning('slot').execute()
      return gone.length
    },
    async drop() {
      // INVARIANT: one that opens it is left
      const gone = await db
        .deleteFrom('key_roots')
        .where('master_key', '=', id)
        .where((is) =>
          is.exists(is.selectFrom('key_roots as other').select('other.slot').where('other.master_key', '!=', id)),
        )
        .returning('slot')
        .execute()
      return gone.length
    },
  }
  return { root, master }
}

function wrapped(root: Buffer, masterKey: Buffer) {
  const id = nameOf(masterKey)
  return { master_key: id, root_sealed: createSealing(masterKey).seal(root, recordId(id)) }
}

/**
 * A new one. In a database from before there were roots the master key sealed everything itself: it is the root. Undefined where it
 * sealed nothing of what is there: it is the wrong one, or another process has just made the root.
 */
async function firstRoot(db: Kysely<KeysTables>, masterKey: Buffer): Promise<Buffer | undefined> {
  const key = await db
    .selectFrom('signing_keys')
    .select(['kid', 'private_sealed'])
    .where('private_sealed', 'is not', null)
    .limit(1)
    .executeTakeFirst()
  if (!key) return randomBytes(32)
  try {
    createSealing(masterKey).unseal(key.private_sealed!, `signing-key:${key.kid}`)
    return masterKey
  } catch {
    return undefined
  }
}
