/** What every driver of durable records has to keep; run by one test file for each driver. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isConflict, type Migration, type Storage } from '#storage'

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

    test('writes of others wait while a transaction runs, and follow in the order they were asked for', async () => {
      const order: string[] = []
      const note = (what: string) => () => order.push(what)
      const behind: Promise<unknown>[] = []
      const first = insert(1).then(note('before'))
      const running = things()
        .transaction()
        .execute(async (transaction) => {
          const rows = await transaction.selectFrom('things').select('id').execute()
          behind.push(storage.state.set('k', 'v').then(note('state')), insert(2).then(note('after')))
          await new Promise(setImmediate)
          await transaction
            .insertInto('things')
            .values({ id: 10 + rows.length, name: 'counted', owner: null })
            .execute()
        })
        .then(note('transaction'))
      await Promise.all([first, running])
      await Promise.all(behind)
      expect(order).toEqual(['before', 'transaction', 'state', 'after'])
      expect(await ids()).toEqual([1, 2, 11])
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
