/**
 * What every storage has to keep about units of work; run by one test file for each driver. It is about what is kept with the
 * records: `durable`, which is `state` as well unless that has a place of its own.
 */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Storage, settled, together } from '#storage'

export interface UnitHouse {
  /** The same storage each time within one test. */
  open(): Promise<Storage>
  /** Makes the next large write fail for want of room. */
  fill(storage: Storage): Promise<void>
  finish(): Promise<void> | void
  /** Whether the writes of a unit are committed together, at its end, or each when its promise resolves. */
  readonly commits: 'together' | 'each'
}

export function unitContract(name: string, { open, fill, finish, commits }: UnitHouse): void {
  /** What others find of a write before its unit has ended. */
  const meanwhile = commits === 'together' ? undefined : 'v'
  describe(`units of work on ${name}`, () => {
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
    const { set, get } = {
      set: (key: string, value = 'v') => storage.durable.set(key, value),
      get: (key: string, of: Storage = storage) => of.durable.get(key),
    }
    const count = async (of: Storage) => {
      const { rows } = await sql<{ n: number }>`select count(*) as n from state`.execute(of.records)
      return rows[0]!.n
    }

    test('inside, a write is seen at once; outside at the end at the latest, when it is durable', async () => {
      await together(async () => {
        await set('a')
        expect(await get('a')).toBe('v')
        expect(await count(storage)).toBe(1)
        expect(await get('a', other)).toBe(meanwhile)
      })
      expect(await get('a', other)).toBe('v')
    })

    test('nobody outside is told of a write before it is durable, though the connection knows it', async () => {
      let seen: string | undefined = 'nothing was looked at'
      let inside: () => void = () => {}
      const written = new Promise<void>((resolve) => {
        inside = resolve
      })
      const unit = together(async () => {
        await set('a')
        inside()
      })
      await written.then(async () => {
        seen = await get('a')
      })
      expect(seen).toBe(meanwhile)
      await unit
      expect(await get('a')).toBe('v')
    })

    if (commits === 'together')
      test('many writes one after another are one commit, and without a unit as many as there are writes', async () => {
        const turns = async (work: () => Promise<unknown>) => {
          let count = 0
          let over = false
          const watch = () => {
            count++
            if (!over) setImmediate(watch)
          }
          setImmediate(watch)
          await work()
          over = true
          return count
        }
        const ten = async () => {
          for (let i = 0; i < 10; i++) await set(`k${i}`)
        }
        const alone = await turns(ten)
        const joined = await turns(() => together(ten))
        expect(alone).toBeGreaterThanOrEqual(10)
        expect(joined).toBeLessThanOrEqual(3)
      })

    test('in the middle, `settled` waits for what was written so far', async () => {
      await together(async () => {
        await set('a')
        await settled()
        expect(await get('a', other)).toBe('v')
        await set('b')
        expect(await get('b', other)).toBe(meanwhile)
      })
      expect(await get('b', other)).toBe('v')
      await settled() // outside of any unit there is nothing to wait for
    })

    test('what a unit that fails has written stays, and its own error is what its caller hears', async () => {
      const work = together(async () => {
        await set('tries', '1')
        throw new Error('wrong password')
      })
      await expect(work).rejects.toThrow('wrong password')
      expect(await get('tries', other)).toBe('1')
    })

    test('where the commit fails, everything that rests on it is refused and nothing of that commit stays', async () => {
      await set('before')
      await fill(storage)
      let reached = false
      const unit = together(async () => {
        await set('small')
        expect(await get('small')).toBe('v')
        // somebody else fills the disk in the same turn
        await expect(set('large', 'x'.repeat(4_000_000))).rejects.toMatchObject({ code: 'storage-unavailable' })
        await expect(set('later')).rejects.toMatchObject({ code: 'storage-unavailable' })
        reached = true
        return 'an answer that must not be sent'
      })
      await expect(unit).rejects.toMatchObject({ code: 'storage-unavailable' })
      expect(reached).toBe(true)
      expect(await get('small', other)).toBe(meanwhile)
      expect(await get('large', other)).toBeUndefined()
      expect(await get('later', other)).toBeUndefined()
      expect(await get('before', other)).toBe('v')
    })

    test('a unit that has seen what another one wrote falls with it, where that falls', async () => {
      await fill(storage)
      let written: () => void = () => {}
      const first = new Promise<void>((resolve) => {
        written = resolve
      })
      const writer = together(async () => {
        await set('shared')
        written()
        await set('large', 'x'.repeat(4_000_000)).catch(() => {})
      })
      const reader = together(async () => {
        await first
        return get('shared')
      })
      const [wrote, read] = await Promise.allSettled([writer, reader])
      expect(wrote.status).toBe('rejected')
      // whatever it saw: either it is there, or the reader is refused as well
      if (read.status === 'fulfilled') expect(await get('shared', other)).toBe(read.value)
    })

    test('work that nobody waited for is durable by itself', async () => {
      let late: Promise<void> = Promise.resolve()
      await together(async () => {
        late = new Promise((resolve) => setImmediate(resolve)).then(async () => {
          await new Promise((resolve) => setImmediate(resolve))
          await set('late')
          expect(await get('late', other)).toBe('v')
        })
      })
      await late
    })

    test('writes that nobody waited for one by one happen in the order in which they were asked for', async () => {
      await together(async () => {
        const writes = Array.from({ length: 20 }, (_, i) => set('k', `${i}`))
        expect(await get('k')).toBe('19')
        await Promise.all(writes)
      })
      expect(await get('k', other)).toBe('19')
      await together(async () => {
        for (let i = 20; i < 40; i++) void set('k', `${i}`)
      })
      expect(await get('k', other)).toBe('39')
    })

    test('a transaction inside a unit sees what the unit wrote before', async () => {
      await together(async () => {
        await set('a')
        const found = await storage.records.transaction().execute(async (transaction) => {
          const { rows } = await sql<{ k: string }>`select k from state where k = 'a'`.execute(transaction)
          return rows.length
        })
        expect(found).toBe(1)
      })
    })
  })
}
