/** The root is what seals; the master key only opens it. Every `again()` is another process on the same database. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KyselyPlugin, type SelectQueryNode, sql } from 'kysely'
import { afterAll, afterEach, expect, test } from 'vitest'
import { silentLog } from '#core/log'
import { isSealed, type Keys, keysMigrations, openKeys } from '#keys'
import { openStorage, type Storage } from '#storage'

const folder = mkdtempSync(join(tmpdir(), 'portico-root-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const opened: Storage[] = []
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close()
})

const clock = { now: () => 1_800_000_000_000 }
const audit = { record: async () => {} }
const refused = { code: 'sealed-record-invalid' }
let count = 0

function place(migrations = keysMigrations) {
  const file = join(folder, `${count++}.db`)
  const open = async () => {
    const storage = await openStorage({ url: `sqlite:${file}`, clock, log: silentLog, migrations })
    opened.push(storage)
    return storage
  }
  const again = async (masterKey: Buffer): Promise<Keys> =>
    openKeys({ storage: await open(), clock, log: silentLog, audit, masterKey })
  return { file, open, again }
}

test('what was sealed before the change opens after it, by the new key and, until that is finished, by the old one', async () => {
  const { again } = place()
  const [before, after] = [randomBytes(32), randomBytes(32)]
  const keys = await again(before)
  const sealed = keys.seal('secret', 'totp:1')
  const cookie = keys.derive('cookies')
  await keys.master.rewrap(after)
  for (const key of [before, after]) {
    const process = await again(key)
    expect(process.unseal(sealed, 'totp:1').toString()).toBe('secret')
    expect(process.derive('cookies')).toEqual(cookie)
    expect(process.signing.list()).toEqual(keys.signing.list())
  }
  const changed = await again(after)
  expect(await changed.master.finish()).toBe(1)
  await expect(again(before)).rejects.toMatchObject(refused)
  // the process that was started with the old key goes on, sealing what the new ones open
  expect(changed.unseal(keys.seal('later', 'totp:2'), 'totp:2').toString()).toBe('later')
  expect(await changed.master.finish()).toBe(0)
})

test('it is changed as often as somebody wants, and never opened by more than two', async () => {
  const { again } = place()
  const [first, second, third, fourth] = [randomBytes(32), randomBytes(32), randomBytes(32), randomBytes(32)]
  const keys = await again(first)
  await keys.master.rewrap(second)
  // thought better of: the second one never came into use
  await keys.master.rewrap(third)
  await expect(again(second)).rejects.toMatchObject(refused)
  const changed = await again(third)
  await changed.master.finish()
  await changed.master.rewrap(fourth)
  expect(await changed.master.drop()).toBe(1)
  await expect(again(third)).rejects.toMatchObject(refused)
  expect((await again(fourth)).unseal(keys.seal('x', 'y'), 'y').toString()).toBe('x')
})

test('the last key that opens it is never dropped', async () => {
  const { again } = place()
  const key = randomBytes(32)
  const keys = await again(key)
  expect(await keys.master.drop()).toBe(0)
  expect(await keys.master.rewrap(key)).toBe(keys.master.id)
  expect(await keys.master.drop()).toBe(0)
  await expect(again(key)).resolves.toBeDefined()
})

test('neither the root nor a master key lies in the database', async () => {
  const { again, file } = place()
  const [before, after] = [randomBytes(32), randomBytes(32)]
  const keys = await again(before)
  await keys.master.rewrap(after)
  const rows = await sql<{ root_sealed: string }>`select root_sealed from key_roots`.execute(opened[0]!.records)
  expect(new Set(rows.rows.map(({ root_sealed: sealed }) => sealed)).size).toBe(2)
  for (const storage of opened.splice(0)) await storage.close()
  const bytes = readFileSync(file)
  for (const secret of [before, after])
    for (const form of [secret, Buffer.from(secret.toString('base64url')), Buffer.from(secret.toString('hex'))])
      expect(bytes.includes(form)).toBe(false)
})

test('the root is another secret than the master key', async () => {
  const key = randomBytes(32)
  const [one, other] = [await place().again(key), await place().again(key)]
  expect(one.derive('cookies')).not.toEqual(other.derive('cookies'))
  expect(() => other.unseal(one.seal('x', 'y'), 'y')).toThrow(expect.objectContaining(refused))
})

test('of two first starts at once with one key both have the same root; with two keys one of them is refused', async () => {
  const { again } = place()
  const key = randomBytes(32)
  const both = await Promise.all([again(key), again(key)])
  expect(both[0].derive('x')).toEqual(both[1].derive('x'))
  const { again: elsewhere } = place()
  const tried = await Promise.allSettled([elsewhere(randomBytes(32)), elsewhere(randomBytes(32))])
  expect(tried.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

/** A storage on which another process opens the same database whole, right behind the first look at `table`. */
function met(storage: Storage, table: string, other: () => Promise<unknown>): Storage {
  let met = false
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      const { from } = node as SelectQueryNode
      if (JSON.stringify(from ?? {}).includes(`"${table}"`)) looks.add(queryId)
      return node
    },
    async transformResult({ result, queryId }) {
      if (!met && looks.has(queryId)) {
        met = true
        await other()
      }
      return result
    },
  }
  const looks = new WeakSet<object>()
  return { ...storage, records: storage.records.withPlugin(plugin) }
}

test.each(['key_roots', 'signing_keys'])(
  'one that begins while another makes the root, after its look at %s',
  async (table) => {
    const key = randomBytes(32)
    const { again, open } = place()
    let first: Keys | undefined
    const storage = met(await open(), table, async () => {
      first = await again(key)
    })
    const second = await openKeys({ storage, clock, log: silentLog, audit, masterKey: key })
    expect(second.derive('x')).toEqual(first!.derive('x'))
    expect(second.signing.list()).toEqual(first!.signing.list())

    const elsewhere = place()
    const late = met(await elsewhere.open(), table, () => elsewhere.again(randomBytes(32)))
    await expect(openKeys({ storage: late, clock, log: silentLog, audit, masterKey: key })).rejects.toMatchObject(
      refused,
    )
  },
)

test('a database from before there were roots opens with its key, and with no other', async () => {
  const { open, again } = place()
  const key = randomBytes(32)
  const now = await again(key)
  const storage = await open()
  expect(await isSealed(storage)).toBe(true)
  // as it was left by the version before: keys sealed by the master key itself, no root
  const { createSealing } = await import('../../src/keys/sealing.ts')
  const old = createSealing(key)
  const rows = await sql<{ kid: string; private_sealed: string }>`select * from signing_keys`.execute(storage.records)
  for (const { kid, private_sealed: sealed } of rows.rows) {
    const resealed = old.seal(now.unseal(sealed, `signing-key:${kid}`), `signing-key:${kid}`)
    await sql`update signing_keys set private_sealed = ${resealed} where kid = ${kid}`.execute(storage.records)
  }
  await sql`delete from key_roots`.execute(storage.records)
  expect(await isSealed(storage)).toBe(true)
  // a wrong key must not become the root of it
  await expect(again(randomBytes(32))).rejects.toMatchObject(refused)
  const secret = old.seal('secret', 'totp:1')
  expect((await again(key)).unseal(secret, 'totp:1').toString()).toBe('secret')
  const next = randomBytes(32)
  await (await again(key)).master.rewrap(next)
  expect((await again(next)).unseal(secret, 'totp:1').toString()).toBe('secret')
})
