/** What every storage has to keep about its memory of rows: it is never behind. Run by one test file for each driver. */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Kept, type Migration, markWrites, type Storage, type StorageOptions, together } from '#storage'

type Tables = { notes: { id: string; text: string; above: string | null } }

export const notesMigration: Migration = {
  name: 'test-001-notes',
  async up(records) {
    await records.schema
      .createTable('notes')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('text', 'text', (column) => column.notNull())
      .addColumn('above', 'text', (column) => column.references('notes.id').onDelete('cascade'))
      .execute()
    await markWrites(records, 'notes')
  },
}

export interface KeptHouse {
  /** The same storage each time within one test. */
  open(clock: StorageOptions['clock']): Promise<Storage>
  /** Makes the next large write fail for want of room. */
  fill(storage: Storage): Promise<void>
  finish(): Promise<void> | void
  /** Whether the writes of a unit are committed together, at its end, or each when its promise resolves. */
  readonly commits: 'together' | 'each'
  /** Short-lived state is kept elsewhere: no commit of the records can take it along. */
  readonly stateApart?: true
}

export function keptContract(name: string, { open, fill, finish, commits, stateApart }: KeptHouse): void {
  /** What others find of a new value before its unit has ended. */
  const meanwhile = commits === 'together' ? 'old' : 'new'
  describe(`what is kept on ${name}`, () => {
    let time = 1_700_000_000_000
    let storage: Storage
    let other: Storage
    let value: Kept<{ readonly text: string }>
    let note: Kept<{ readonly text: string }>
    let all: Kept<number>
    const notes = (of: Storage) => of.records.withTables<Tables>()

    beforeEach(async () => {
      storage = await open({ now: () => time })
      other = await open({ now: () => time })
      value = storage.state.keep((text) => ({ text }))
      note = storage.keep('notes', 'id', (id) =>
        notes(storage).selectFrom('notes').select('text').where('id', '=', id).executeTakeFirst(),
      )
      all = storage.keep('notes', undefined, async () => {
        const { rows } = await sql<{ n: number }>`select count(*) as n from notes`.execute(storage.records)
        return rows[0]!.n
      })
      await storage.state.set('k', 'old', { group: 'g', ttl: 1000 })
      await notes(storage)
        .insertInto('notes')
        .values([
          { id: 'top', text: 'old', above: null },
          { id: 'n', text: 'old', above: 'top' },
        ])
        .execute()
      await warm()
    })
    afterEach(async () => {
      await storage.close()
      await other.close()
      await finish()
    })
    const textOf = async () => (await value.of('k'))?.text
    const noteOf = async () => (await note.of('n'))?.text
    /** Whatever a driver keeps, it keeps now. */
    async function warm() {
      for (let i = 0; i < 3; i++) expect([await textOf(), await noteOf(), await all.of('')]).toEqual(['old', 'old', 2])
    }

    const writers = [
      ['this process', () => storage],
      ['another one', () => other],
    ] as const
    const changes: readonly (readonly [string, (of: Storage) => Promise<unknown>, string | undefined])[] = [
      ['set', ({ state }) => state.set('k', 'new'), 'new'],
      ['compareAndSwap', ({ state }) => state.compareAndSwap('k', 'old', 'new'), 'new'],
      ['delete', ({ state }) => state.delete('k'), undefined],
      ['take', ({ state }) => state.take('k'), undefined],
      ['deleteGroup', ({ state }) => state.deleteGroup('g'), undefined],
      ['increment', ({ state }) => state.increment('k', 5, 1000), '5'],
      ['delete and add', ({ state }) => state.delete('k').then(() => state.add('k', 'new')), 'new'],
    ]
    describe.each(writers)('%s writes', (_, of) => {
      test.each(changes)('a value by `%s`: the very next look sees it', async (_way, change, expected) => {
        await change(of())
        expect(await textOf()).toBe(expected)
        expect([undefined, expected]).toContain(value.known('k')?.text)
      })

      test.each<[string, (of: Storage) => Promise<unknown>, string | undefined, number]>([
        ['update', (s) => notes(s).updateTable('notes').set({ text: 'new' }).execute(), 'new', 2],
        ['delete', (s) => notes(s).deleteFrom('notes').where('id', '=', 'n').execute(), undefined, 1],
        ['delete of all', (s) => sql`delete from notes`.execute(s.records), undefined, 0],
        ['cascade', (s) => notes(s).deleteFrom('notes').where('id', '=', 'top').execute(), undefined, 0],
        [
          'upsert',
          (s) =>
            notes(s)
              .insertInto('notes')
              .values({ id: 'n', text: 'x', above: null })
              .onConflict((c) => c.column('id').doUpdateSet({ text: 'new' }))
              .execute(),
          'new',
          2,
        ],
        [
          'new key',
          (s) => notes(s).updateTable('notes').set({ id: 'm' }).where('id', '=', 'n').execute(),
          undefined,
          2,
        ],
        [
          'new row',
          (s) => notes(s).insertInto('notes').values({ id: 'z', text: 'z', above: null }).execute(),
          'old',
          3,
        ],
        [
          'transaction',
          (s) =>
            notes(s)
              .transaction()
              .execute(async (t) => {
                await t.updateTable('notes').set({ text: 'between' }).execute()
                await t.updateTable('notes').set({ text: 'new' }).execute()
              }),
          'new',
          2,
        ],
      ])('a row by `%s`: the very next look sees it', async (_way, change, expected, count) => {
        await change(of())
        expect([await noteOf(), await all.of('')]).toEqual([expected, count])
      })

      test('again and again, each is seen, also by a unit of work that begins then', async () => {
        for (let i = 0; i < 20; i++) {
          await of().state.set('k', `${i}`)
          await notes(of())
            .updateTable('notes')
            .set({ text: `${i}` })
            .execute()
          const look = async () => [await textOf(), await noteOf()]
          expect(await (i % 2 ? together(look) : look())).toEqual([`${i}`, `${i}`])
        }
      })
    })

    test('what another process wrote is seen behind any number of writes of our own', async () => {
      await other.state.set('k', 'new')
      await notes(other).updateTable('notes').set({ text: 'new' }).execute()
      for (let i = 0; i < 5; i++) await storage.state.set('elsewhere', `${i}`)
      await together(async () => {
        await storage.state.set('elsewhere', 'in a unit')
        expect([await textOf(), await noteOf()]).toEqual(['new', 'new'])
      })
      expect([await textOf(), await noteOf()]).toEqual(['new', 'new'])
    })

    test('a value whose time has come is absent, though nobody has written it', async () => {
      time += 999
      expect(await textOf()).toBe('old')
      time += 1
      expect([await textOf(), value.known('k')]).toEqual([undefined, undefined])
    })

    test('a unit sees what it has written, and others what is committed', async () => {
      await together(async () => {
        expect(await textOf()).toBe('old')
        await storage.state.set('k', 'new')
        expect(await textOf()).toBe('new')
        expect(await other.state.get('k')).toBe(meanwhile)
      })
      expect(await textOf()).toBe('new')
    })

    test('nobody outside is told of a write before it is durable', async () => {
      let seen: string | undefined = 'nothing was looked at'
      const { promise: written, resolve: inside } = Promise.withResolvers<void>()
      const unit = together(async () => {
        await storage.state.set('k', 'new')
        inside()
      })
      await written.then(async () => {
        seen = await textOf()
      })
      expect(seen).toBe(meanwhile)
      await unit
      expect(await textOf()).toBe('new')
    })

    if (!stateApart)
      test('what was seen of a write whose commit fails is not kept', async () => {
        await fill(storage)
        const unit = together(async () => {
          await storage.state.set('k', 'new')
          for (let i = 0; i < 3; i++) expect(await textOf()).toBe('new')
          await storage.state.addMember('large', 'x'.repeat(4_000_000), 1000).catch(() => {})
        })
        await expect(unit).rejects.toMatchObject({ code: 'storage-unavailable' })
        expect(await textOf()).toBe(meanwhile)
        expect(await other.state.get('k')).toBe(meanwhile)
      })

    test('a transaction that is rolled back leaves what was there', async () => {
      const failing = notes(storage)
        .transaction()
        .execute(async (t) => {
          await t.updateTable('notes').set({ text: 'new' }).execute()
          expect(await noteOf()).toBe('old')
          throw new Error('no')
        })
      await expect(failing).rejects.toThrow('no')
      expect([await noteOf(), await all.of('')]).toEqual(['old', 2])
    })

    test.each(writers)('a look that was under way while %s wrote the row is not kept', async (_, of) => {
      const { promise: read, resolve: hasRead } = Promise.withResolvers<void>()
      const { promise: go, resolve: goOn } = Promise.withResolvers<void>()
      const slowly = storage.keep('notes', 'id', async (id) => {
        const row = await notes(storage).selectFrom('notes').select('text').where('id', '=', id).executeTakeFirst()
        hasRead()
        await go
        return row
      })
      const first = slowly.of('n')
      await read
      await notes(of()).updateTable('notes').set({ text: 'new' }).execute()
      // somebody else looks, and finds that something has changed
      await value.of('k')
      goOn()
      expect((await first)?.text).toBe('old')
      expect((await slowly.of('n'))?.text).toBe('new')
    })

    test('what is not there is found as soon as it is', async () => {
      expect(await value.of('later')).toBeUndefined()
      await other.state.set('later', 'x')
      expect((await value.of('later'))?.text).toBe('x')
      expect(await note.of('later')).toBeUndefined()
      await notes(storage).insertInto('notes').values({ id: 'later', text: 'x', above: null }).execute()
      expect((await note.of('later'))?.text).toBe('x')
    })
  })
}
