/** PostgreSQL: what was made of a whole table is made anew only when somebody has written it, at one look for each unit. */
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { type Kept, type Migration, markWrites, openStorage, type Storage, together } from '#storage'
import { databases } from './postgres.ts'

const here = databases()
const tables: Migration = {
  name: 'test-001-tables',
  async up(records) {
    for (const table of ['marked_notes', 'other_notes', 'unmarked_notes']) {
      await sql.raw(`create table ${table} (id text primary key)`).execute(records)
      if (table !== 'unmarked_notes') await markWrites(records, table)
    }
  },
}
let [storage, other]: Storage[] = []
let loads: string[]
const open = () => openStorage({ url: here.url(), clock: systemClock, log: silentLog, migrations: [tables] })
beforeEach(async () => {
  ;[storage, other] = [await open(), await open()]
  loads = []
})
afterEach(async () => {
  await storage!.close()
  await other!.close()
  await here.next()
})

const add = (to: Storage, table: string, id: string) =>
  sql`insert into ${sql.table(table)} values (${id})`.execute(to.records)
function keeping(table: string): Kept<readonly string[]> {
  return storage!.keep(table, undefined, async () => {
    loads.push(table)
    const { rows } = await sql<{ id: string }>`select id from ${sql.table(table)} order by id`.execute(storage!.records)
    return rows.map(({ id }) => id)
  })
}
test('the same object for as long as nobody writes that table, whoever writes others', async () => {
  const kept = keeping('marked_notes')
  const first = await kept.of('')
  await add(storage!, 'other_notes', 'x')
  await add(other!, 'unmarked_notes', 'x')
  await other!.state.set('k', 'v')
  for (let i = 0; i < 5; i++) expect(await together(() => kept.of(''))).toBe(first)
  expect(loads).toEqual(['marked_notes'])
})

test.each(['this process', 'another one'])('written by %s, the next question has it', async (who) => {
  const kept = keeping('marked_notes')
  for (const id of ['a', 'b', 'c']) {
    await kept.of('')
    await add(who === 'this process' ? storage! : other!, 'marked_notes', id)
    expect((await together(() => kept.of('')))?.at(-1)).toBe(id)
  }
  await sql`truncate marked_notes`.execute(other!.records)
  expect(await kept.of('')).toEqual([])
})

test('within a unit, as of its beginning; after a write of its own, or a transaction, with that', async () => {
  const kept = keeping('marked_notes')
  await together(async () => {
    expect(await kept.of('')).toEqual([])
    await add(storage!, 'marked_notes', 'a')
    expect(await kept.of('')).toEqual(['a'])
    await storage!.records.transaction().execute(async (on) => {
      await sql`insert into marked_notes values ('b')`.execute(on)
      // not committed: nobody finds it, and nothing of it is kept
      expect(await kept.of('')).toEqual(['a'])
    })
    expect(await kept.of('')).toEqual(['a', 'b'])
  })
  expect(await kept.of('')).toEqual(['a', 'b'])
})

test('what was rolled back was never there', async () => {
  const kept = keeping('marked_notes')
  await kept.of('')
  const failing = storage!.records.transaction().execute(async (on) => {
    await sql`insert into marked_notes values ('a')`.execute(on)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await kept.of('')).toEqual([])
  expect(loads).toHaveLength(1)
})

test('a table that nobody marks is read each time', async () => {
  const kept = keeping('unmarked_notes')
  for (const id of ['a', 'b']) {
    await add(other!, 'unmarked_notes', id)
    expect((await kept.of(''))?.at(-1)).toBe(id)
  }
  expect(loads).toHaveLength(2)
})

test('many writers of two tables at once: whoever was answered is found by whoever asks after that', async () => {
  const [one, two] = [keeping('marked_notes'), keeping('other_notes')]
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; i < 15; i++) {
      const id = `${writer}-${i}`
      const [table, kept] = (writer + i) % 2 ? (['marked_notes', one] as const) : (['other_notes', two] as const)
      await add(writer % 2 ? storage! : other!, table, id)
      expect(await together(() => kept.of(''))).toContain(id)
    }
  })
  await Promise.all(writers)
})

test('one look answers for all tables of a unit, and whoever asks at once loads once', async () => {
  const [one, two] = [keeping('marked_notes'), keeping('other_notes')]
  await together(async () => {
    await Promise.all([one.of(''), one.of(''), two.of(''), two.of('')])
    await one.of('')
  })
  expect(loads.toSorted()).toEqual(['marked_notes', 'other_notes'])
})

test('after a failover that has lost a write, another write is not taken for it', async () => {
  const kept = keeping('marked_notes')
  const name = new URL(here.url()).pathname.slice(1)
  const [before] = await here.server.query(`select mark from marked where name = 'marked_notes'`, name)
  await add(other!, 'marked_notes', 'lost')
  expect(await kept.of('')).toEqual(['lost'])
  // what the replica has that took over
  await here.server.query(
    `alter table marked_notes disable trigger all; delete from marked_notes; alter table marked_notes enable trigger all;
     update marked set mark = '${(before as { mark: string }).mark}' where name = 'marked_notes'`,
    name,
  )
  await add(other!, 'marked_notes', 'new')
  expect(await kept.of('')).toEqual(['new'])
})
