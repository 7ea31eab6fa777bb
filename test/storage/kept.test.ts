import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage, type Storage, together } from '#storage'
import { keptContract, notesMigration } from '../contracts/kept.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0
const open = (clock: Clock = systemClock) =>
  openStorage({
    url: `sqlite:${join(folder, `kept-${count}.db`)}`,
    clock,
    log: silentLog,
    migrations: [notesMigration],
  })

keptContract('SQLite', {
  commits: 'together',
  open,
  fill: async (storage) => void (await sql`pragma max_page_count = 60`.execute(storage.records)),
  finish: () => {
    count++
  },
})

describe('SQLite by itself', () => {
  let storage: Storage
  let other: Storage
  let loads: string[]
  beforeEach(async () => {
    ;[storage, other] = [await open(), await open()]
    loads = []
    for (const id of ['a', 'b']) await sql`insert into notes (id, text) values (${id}, 'x')`.execute(storage.records)
  })
  afterEach(async () => {
    await storage.close()
    await other.close()
    count++
  })
  const notes = () =>
    storage.keep('notes', 'id', async (id) => {
      loads.push(id)
      return sql`select text from notes where id = ${id}`.execute(storage.records)
    })

  test('what was read once is not read again, whatever this process writes beside it', async () => {
    const kept = notes()
    const first = await kept.of('a')
    for (let i = 0; i < 100; i++) {
      await storage.state.set(`session:${i}`, 'x')
      await sql`update notes set text = ${`${i}`} where id = 'b'`.execute(storage.records)
      await sql`insert into notes (id, text) values (${`new-${i}`}, 'x')`.execute(storage.records)
      expect(await kept.of('a')).toBe(first)
      expect(kept.known('a')).toBe(first)
    }
    expect(loads).toEqual(['a'])
  })

  test('what another process commits makes it read once more, whatever it was', async () => {
    const kept = notes()
    await kept.of('a')
    await other.state.set('k', 'v')
    expect(kept.known('a')).toBeUndefined()
    await kept.of('a')
    await kept.of('a')
    expect(loads).toEqual(['a', 'a'])
  })

  test('one unit of work looks once: it keeps what it has seen, and the next one looks again', async () => {
    const kept = notes()
    const { promise: looked, resolve: hasLooked } = Promise.withResolvers<void>()
    const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
    const unit = together(async () => {
      await kept.of('a')
      hasLooked()
      await go
      await kept.of('a')
    })
    await looked
    await sql`update notes set text = 'y' where id = 'a'`.execute(other.records)
    goOn()
    await unit
    expect(loads).toEqual(['a'])
    await together(() => kept.of('a'))
    expect(loads).toEqual(['a', 'a'])
  })

  test('statements that were prepared before anything was kept are seen as well', async () => {
    await storage.state.set('k', 'old')
    await storage.state.compareAndSwap('k', 'old', 'older')
    const kept = storage.state.keep((text) => text)
    expect(await kept.of('k')).toBe('older')
    expect(await kept.of('k')).toBe('older')
    await storage.state.compareAndSwap('k', 'older', 'new')
    expect(await kept.of('k')).toBe('new')
    await storage.state.set('k', 'newer')
    expect(await kept.of('k')).toBe('newer')
  })

  test('a storage that is closed answers nothing from memory', async () => {
    const kept = notes()
    await kept.of('a')
    await storage.close()
    await expect(kept.of('a')).rejects.toMatchObject({ code: 'storage-unavailable' })
  })
})
