/** What every driver of durable records has to keep; run by one test file for each driver. */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { appendOnly, isConflict, type Migration, rowNumbers, type Storage } from '#storage'

type Tables = {
  things: { id: number; name: string; owner: number | null }
}

export const thingsMigration: Migration = {
  name: 'test-001-things',
  async up(records) {
    await records.schema
      .createTable('things')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('owner', 'integer', (column) => column.references('things.id'))
      .execute()
  },
}

/** `open` opens the same storage each time within one test; `finish` runs after each. */
export function recordsContract(name: string, open: () => Promise<Storage>, finish: () => Promise<void> | void): void {
  describe(`records on ${name}`, () => {
    let storage: Storage
    let other: Storage
    beforeEach(async () => {
      storage = await open()
      other = await open()
    })
    afterEach(async () => {
      await storage.close()
      await other.close()
      await finish()
    })
    const things = (of: Storage = storage) => of.records.withTables<Tables>()
    const insert = (id: number, label = `n${id}`, owner: number | null = null) =>
      things().insertInto('things').values({ id, name: label, owner }).execute()
    const ids = async (of: Storage = storage) =>
      (await things(of).selectFrom('things').select('id').orderBy('id').execute()).map(({ id }) => id)

    test('a failing write fails alone, and its neighbours of the same tick are committed', async () => {
      const results = await Promise.allSettled([insert(1), insert(2), insert(3, 'n1'), insert(4, 'n4', 99), insert(5)])
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'rejected',
        'fulfilled',
      ])
      expect(isConflict((results[2] as PromiseRejectedResult).reason)).toBe(true)
      expect(isConflict((results[3] as PromiseRejectedResult).reason)).toBe(false)
      expect(await ids(other)).toEqual([1, 2, 5])
    })

    test('a promise resolves only when another connection can see the row', async () => {
      for (let i = 1; i <= 20; i++) {
        await insert(i)
        expect((await ids(other)).at(-1)).toBe(i)
      }
    })

    test('changes and returning rows are answered', async () => {
      await Promise.all([insert(1), insert(2)])
      const updated = await things().updateTable('things').set({ owner: 1 }).executeTakeFirst()
      expect(updated.numUpdatedRows).toBe(2n)
      const spend = () => things().deleteFrom('things').where('id', '=', 2).returning('name').executeTakeFirst()
      const spent = await Promise.all(Array.from({ length: 50 }, spend))
      expect(spent.filter(Boolean)).toEqual([{ name: 'n2' }])
    })

    test('a transaction is all or nothing, reads its own writes, and nobody sees it before its end', async () => {
      await things()
        .transaction()
        .execute(async (transaction) => {
          await transaction.insertInto('things').values({ id: 1, name: 'a', owner: null }).execute()
          expect(await transaction.selectFrom('things').select('id').execute()).toEqual([{ id: 1 }])
          expect(await ids()).toEqual([])
          expect(await ids(other)).toEqual([])
        })
      expect(await ids(other)).toEqual([1])
      const failing = things()
        .transaction()
        .execute(async (transaction) => {
          await transaction.insertInto('things').values({ id: 2, name: 'b', owner: null }).execute()
          await transaction.insertInto('things').values({ id: 3, name: 'b', owner: null }).execute()
        })
      await expect(failing).rejects.toThrow()
      expect(await ids()).toEqual([1])
    })

    test('what a transaction does not catch ends it, and what it catches as well: nothing of it stays', async () => {
      const failing = things()
        .transaction()
        .execute(async (transaction) => {
          await transaction.insertInto('things').values({ id: 1, name: 'a', owner: null }).execute()
          await sql`select nonsense`.execute(transaction)
        })
      await expect(failing).rejects.toThrow('nonsense')
      expect(await ids(other)).toEqual([])
      await insert(2)
      expect(await ids(other)).toEqual([2])
    })

    test('values come back as rooms know them: booleans as numbers, integers of 53 bits, texts with NUL', async () => {
      const text = 'a\u0000b\u0001c \u0010'
      await things()
        .insertInto('things')
        .values({ id: 2 ** 53 - 1, name: text, owner: null })
        .execute()
      const row = await things()
        .selectFrom('things')
        .select(['id', 'name', sql<number>`name = ${text}`.as('same')])
        .where('name', 'in', [text])
        .executeTakeFirstOrThrow()
      expect(row).toEqual({ id: 2 ** 53 - 1, name: text, same: 1 })
      const count = await things()
        .selectFrom('things')
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .where(sql<boolean>`owner is null`)
        .executeTakeFirstOrThrow()
      expect(count.n).toBe(1)
      await insert(1, 'owned', 2 ** 53 - 1)
      const owned = things()
        .updateTable('things')
        .set({ owner: true as never })
        .where('id', '=', 1)
      await owned.execute()
      expect(await things().selectFrom('things').select('owner').where('id', '=', 1).execute()).toEqual([{ owner: 1 }])
    })

    test('an integer beyond 2^53 is not read as another one', async () => {
      await insert(1)
      await sql`update things set id = 9007199254740993`.execute(storage.records)
      await expect(things().selectFrom('things').selectAll().execute()).rejects.toThrow(RangeError)
    })

    test('an integer beyond 2^53 is not written, and whoever writes with it is answered', async () => {
      const ways = [
        (id: number | bigint) => insert(id as number, 'large'),
        (id: number | bigint) =>
          storage.prepare(things().insertInto('things').values({ id: 0, name: '' }).compile())([id, 'prepared']),
        (id: number | bigint) =>
          things()
            .transaction()
            .execute((trx) =>
              trx
                .insertInto('things')
                .values({ id: id as number, name: 'alone' })
                .execute(),
            ),
      ]
      let small = 0
      for (const id of [2 ** 53, -(2 ** 53), 2 ** 60, 9_007_199_254_740_993n])
        for (const way of ways) {
          const [fits, large] = await Promise.allSettled([insert(++small), way(id)])
          expect(fits.status).toBe('fulfilled')
          expect(large).toMatchObject({ status: 'rejected', reason: expect.any(RangeError) })
        }
      expect(await ids()).toHaveLength(12)
      await insert(Number.MAX_SAFE_INTEGER)
      expect(await ids(other)).toHaveLength(13)
    })

    test('where one was written as a text of a statement, everybody goes on', async () => {
      await sql`insert into things (id, name) values (9007199254740993, 'large')`.execute(storage.records)
      const later = [
        insert(1),
        insert(2),
        things().updateTable('things').set({ owner: 1 }).where('id', '=', 1).execute(),
      ]
      await Promise.all(later)
      await things()
        .transaction()
        .execute((trx) => trx.insertInto('things').values({ id: 3, name: 'n3' }).execute())
      const rows = await things(other).selectFrom('things').select('name').where('id', '<', 10).orderBy('id').execute()
      expect(rows.map(({ name: one }) => one)).toEqual(['n1', 'n2', 'n3'])
    })

    test('texts are in the order of their bytes, `lower` folds ASCII only, and nobody is in an empty list', async () => {
      const names = ['b', 'Ä', 'a', 'B', 'ä', '_', 'é']
      for (const [id, label] of names.entries()) await insert(id + 1, label)
      const all = things().selectFrom('things').select('name').orderBy('name')
      expect((await all.execute()).map(({ name: one }) => one)).toEqual([...names].sort())
      expect(await all.where(sql`lower(name)`, '=', 'ä').execute()).toEqual([{ name: 'ä' }])
      expect((await all.where(sql`lower(name)`, '=', 'b').execute()).length).toBe(2)
      expect(await all.where('id', 'in', []).execute()).toEqual([])
      expect((await all.where('id', 'not in', []).execute()).length).toBe(names.length)
    })

    test('a key counts by itself where none is given', async () => {
      const add = (label: string) =>
        sql<{ id: number }>`insert into things (name) values (${label}) returning id`.execute(storage.records)
      const given = [await add('a'), await add('b')].map(({ rows }) => rows[0]!.id)
      expect(given[1]!).toBeGreaterThan(given[0]!)
    })

    test('numbers of rows grow from their floor on, and are never given twice, over two connections', async () => {
      const adding = (of: Storage, floor: number) => {
        const numbers = rowNumbers(of.records, 'things', floor)
        const insertion = of.prepare(
          things(of)
            .insertInto('things')
            .columns(['id', 'name'])
            .values({ id: numbers.next, name: '' })
            .returning('id')
            .compile(),
        )
        return async (label: string) => {
          await numbers.ready()
          return (await insertion([floor, label])).rows[0]!.id
        }
      }
      const [mine, theirs] = [adding(storage, 1000), adding(other, 500)]
      const given = [await theirs('first'), await mine('second')]
      given.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? mine : theirs)(`n${i}`)))))
      expect(given[0]).toBe(500)
      expect(given[1]).toBe(1000)
      expect(new Set(given).size).toBe(given.length)
      expect(Math.min(...given.slice(2))).toBeGreaterThan(1000)
    })

    test('what is only added is refused every other change by the database itself', async () => {
      await storage.records.transaction().execute(async (transaction) => {
        await transaction.schema
          .createTable('trail')
          .addColumn('id', 'integer', (c) => c.primaryKey())
          .execute()
        await appendOnly(transaction, 'trail', 'this only grows')
      })
      await sql`insert into trail (id) values (1)`.execute(storage.records)
      for (const change of [sql`update trail set id = 2`, sql`delete from trail`])
        await expect(change.execute(storage.records)).rejects.toThrow('this only grows')
      expect((await sql`select id from trail`.execute(other.records)).rows).toEqual([{ id: 1 }])
    })

    test('transactions that ask at once run one after the other, over two connections, without lost updates', async () => {
      await insert(1, 'counter', null)
      const count = (of: Storage) =>
        things(of)
          .transaction()
          .execute(async (transaction) => {
            const row = await transaction
              .selectFrom('things')
              .select('name')
              .where('id', '=', 1)
              .executeTakeFirstOrThrow()
            await new Promise(setImmediate)
            const next = String(Number(row.name.replace('counter', '0')) + 1)
            await transaction.updateTable('things').set({ name: next }).where('id', '=', 1).execute()
          })
      await Promise.all(Array.from({ length: 30 }, (_, i) => count(i % 2 ? storage : other)))
      expect(await things().selectFrom('things').select('name').execute()).toEqual([{ name: '30' }])
    })

    test('a savepoint takes back its own part only', async () => {
      const transaction = await things().startTransaction().execute()
      await transaction.insertInto('things').values({ id: 1, name: 'a', owner: null }).execute()
      const inner = await transaction.savepoint('inner').execute()
      await inner.insertInto('things').values({ id: 2, name: 'b', owner: null }).execute()
      await inner.rollbackToSavepoint('inner').execute()
      await transaction.commit().execute()
      expect(await ids()).toEqual([1])
    })

    test('an unfinished stream holds nobody back, not even at an old moment', async () => {
      await Promise.all([insert(1), insert(2), insert(3)])
      const seen: number[] = []
      for await (const { id } of things().selectFrom('things').select('id').orderBy('id').stream()) {
        seen.push(id)
        if (id === 1) {
          await insert(4)
          expect(await ids()).toEqual([1, 2, 3, 4])
        }
        if (id === 2) break
      }
      expect(seen).toEqual([1, 2])
    })

    test('closing waits for what was asked for and refuses what comes later', async () => {
      const last = insert(1)
      const closed = storage.close()
      await last
      await closed
      await expect(insert(2)).rejects.toMatchObject({ code: 'storage-unavailable' })
      await expect(ids()).rejects.toMatchObject({ code: 'storage-unavailable' })
      await expect(storage.state.get('k')).rejects.toMatchObject({ code: 'storage-unavailable' })
      await storage.close()
      expect(await ids(other)).toEqual([1])
    })
  })
}
