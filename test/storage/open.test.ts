import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test, vi } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import type { Refusal } from '#core/refusal'
import { type Migration, migrationStatus, openStorage, type Storage } from '#storage'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
const open = (file: string, migrations: readonly Migration[] = [], url = `sqlite:${file}`) =>
  openStorage({ url, clock: systemClock, log: silentLog, migrations })

async function refusal(opening: Promise<Storage>): Promise<string> {
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown as Refusal,
  )
  expect(error).toMatchObject({ code: 'storage-unavailable' })
  return error!.detail!
}

/** Root may write everywhere: as root, the test is somebody else for a moment. */
async function asNobody<T>(run: () => Promise<T>): Promise<T> {
  if (process.getuid!() !== 0) return run()
  process.seteuid!(65534)
  try {
    return await run()
  } finally {
    process.seteuid!(0)
  }
}

async function filled(file: string): Promise<void> {
  const storage = await open(file)
  for (let i = 0; i < 10; i++) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => storage.state.set(`k:${i}:${j}`, 'v'.repeat(500))))
  }
  await storage.close()
}

test('a missing folder is made for its owner only, and so are the file and its companions', async () => {
  const file = join(folder, 'a', 'b', 'portico.db')
  const storage = await open(file)
  await storage.state.set('k', 'v')
  expect(statSync(join(folder, 'a', 'b')).mode & 0o777).toBe(0o700)
  for (const name of [file, `${file}-wal`, `${file}-shm`]) expect(statSync(name).mode & 0o777, name).toBe(0o600)
  await storage.close()
})

test('answered writes are on the disk: write-ahead log, synchronous FULL, foreign keys enforced', async () => {
  const storage = await open(join(folder, 'pragmas.db'))
  const value = async (name: string) =>
    Object.values((await sql.raw(`pragma ${name}`).execute(storage.records)).rows[0]!)[0]
  expect(await value('journal_mode')).toBe('wal')
  expect(await value('synchronous')).toBe(2)
  expect(await value('foreign_keys')).toBe(1)
  await storage.close()
})

test('what is no database is refused with a sentence and left as it was', async () => {
  const file = join(folder, 'letter.db')
  writeFileSync(file, 'Dear operator, this is a letter and no database. '.repeat(100))
  const before = readFileSync(file)
  expect(await refusal(open(file))).toBe(`database \`${file}\`: the file is not an SQLite database`)
  expect(readFileSync(file).equals(before)).toBe(true)
})

test('a damaged page and a cut-off end are refused with a sentence', async () => {
  const flipped = join(folder, 'flipped.db')
  await filled(flipped)
  const bytes = readFileSync(flipped)
  for (let at = 20 * 4096; at < 22 * 4096; at++) bytes[at] = bytes[at]! ^ 0x5a
  writeFileSync(flipped, bytes)
  expect(await refusal(open(flipped))).toContain('the database is damaged')

  const cut = join(folder, 'cut.db')
  await filled(cut)
  truncateSync(cut, Math.floor(statSync(cut).size / 2 / 4096) * 4096)
  expect(await refusal(open(cut))).toContain('the database is damaged')
})

test('a file or a folder that cannot be written is refused with a sentence', async () => {
  const place = join(folder, 'locked')
  mkdirSync(place)
  const file = join(place, 'portico.db')
  await filled(file)
  chmodSync(folder, 0o755)
  if (process.getuid!() === 0) for (const path of [place, file]) chownSync(path, 65534, 65534)
  chmodSync(file, 0o444)
  expect(await asNobody(() => refusal(open(file)))).toBe(`database \`${file}\`: file cannot be written (EACCES)`)
  chmodSync(file, 0o644)
  chmodSync(place, 0o555)
  // asked as root-for-a-moment-somebody-else, the system answers for root, and SQLite finds out itself
  expect(await asNobody(() => refusal(open(file)))).toMatch(
    /folder `.*` cannot be written \(EACCES\)|its folder is read-only/,
  )
  expect(await asNobody(() => refusal(open(join(place, 'deeper', 'x.db'))))).toContain('cannot be created (EACCES)')
  chmodSync(place, 0o755)
})

test('a place that is a folder, below a file, or of an unknown kind is refused with a sentence', async () => {
  writeFileSync(join(folder, 'file'), '')
  expect(await refusal(open(folder))).toContain('file cannot be written (EISDIR)')
  expect(await refusal(open(join(folder, 'file', 'x.db')))).toContain('cannot be created')
  expect(await refusal(open('', [], 'oracle://user:secret@host/db'))).toBe(
    'storage.url names no known driver; known: sqlite, postgres, postgresql',
  )
})

const migration = (name: string, statement: string): Migration => ({
  name,
  up: async (records) => {
    await sql.raw(statement).execute(records)
  },
})
const first = migration('test-001-first', 'create table first (a text)')
const second = migration('test-002-second', 'alter table first add column b text')

test('migrations are applied once, in order, and their state can be asked without touching anything', async () => {
  const file = join(folder, 'migrated', 'x.db')
  const status = async (migrations: readonly Migration[]) =>
    (await migrationStatus(`sqlite:${file}`, migrations)).map(({ name, applied, known }) => [name, applied, known])
  expect(await status([first])).toEqual([
    ['storage-001-state', false, true],
    ['storage-002-marked', false, true],
    ['test-001-first', false, true],
  ])
  expect(() => statSync(join(folder, 'migrated'))).toThrow()
  await (await open(file, [first])).close()
  expect(await status([first, second])).toEqual([
    ['storage-001-state', true, true],
    ['storage-002-marked', true, true],
    ['test-001-first', true, true],
    ['test-002-second', false, true],
  ])
  const storage = await open(file, [first, second])
  await sql`insert into first (a, b) values ('x', 'y')`.execute(storage.records)
  await storage.close()
  await (await open(file, [first, second])).close()
  expect((await status([first])).at(-1)).toEqual(['test-002-second', true, false])
})

test('two that open at the same moment apply each migration once: the second looks again when its turn comes', async () => {
  const file = join(folder, 'together.db')
  await (await open(file)).close()
  const slow: Migration = {
    name: first.name,
    up: async (records) => {
      await first.up(records)
      await new Promise(setImmediate)
    },
  }
  const both = await Promise.all([open(file, [slow, second]), open(file, [slow, second])])
  for (const storage of both) await storage.close()
  const storage = await open(file, [slow, second])
  const names = await sql<{ name: string }>`select name from migrations order by name`.execute(storage.records)
  expect(names.rows.map(({ name }) => name)).toEqual([
    'storage-001-state',
    'storage-002-marked',
    'test-001-first',
    'test-002-second',
  ])
  await storage.close()
})

test('a database of a newer version is refused by name of what it has more', async () => {
  const file = join(folder, 'newer.db')
  await (await open(file, [first, second])).close()
  expect(await refusal(open(file, [first]))).toContain('newer version of Portico (test-002-second)')
})

test('a migration that fails leaves nothing of itself, and runs again after it was repaired', async () => {
  const file = join(folder, 'failing.db')
  const broken: Migration = {
    name: first.name,
    up: async (records) => {
      await first.up(records)
      await sql`insert into nowhere values (1)`.execute(records)
    },
  }
  await expect(open(file, [broken])).rejects.toThrow('nowhere')
  const storage = await open(file, [first])
  expect((await sql`select count(*) as n from first`.execute(storage.records)).rows).toEqual([{ n: 0 }])
  await storage.close()
  await expect(open(file, [first, first])).rejects.toThrow('two migrations are called test-001-first')
})

test('expired state is purged by itself in small steps', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    let t = 0
    const storage = await openStorage({
      url: 'sqlite::memory:',
      clock: { now: () => t },
      log: silentLog,
      migrations: [],
    })
    await Promise.all(Array.from({ length: 1200 }, (_, i) => storage.state.set(`k${i}`, 'v', { ttl: 10 })))
    await storage.state.set('living', 'v', { ttl: 1000 })
    t = 10
    vi.advanceTimersByTime(5000)
    const rows = async () =>
      (await sql<{ n: number }>`select count(*) as n from state`.execute(storage.records)).rows[0]!.n
    const seen = new Set<number>()
    for (let i = 0; i < 1000 && (await rows()) > 1; i++) {
      seen.add(await rows())
      await new Promise(setImmediate)
    }
    expect(await rows()).toBe(1)
    expect([...seen]).toEqual(expect.arrayContaining([701, 201]))
    await storage.close()
  } finally {
    vi.useRealTimers()
  }
})
