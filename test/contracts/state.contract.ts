/** What every driver of short-lived state has to keep; run by one test file for each driver. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { State } from '#storage'

export interface OpenedState {
  readonly state: State
  /** The same data seen through other connections, as another process would see it. */
  readonly other: State
  close(): Promise<void>
}

export function stateContract(name: string, open: (clock: { now(): number }) => Promise<OpenedState>): void {
  describe(`state on ${name}`, () => {
    let t = 1_700_000_000_000
    let opened: OpenedState
    let state: State
    beforeEach(async () => {
      opened = await open({ now: () => t })
      state = opened.state
    })
    afterEach(() => opened.close())
    const copies = <T>(run: (copy: State, index: number) => Promise<T>) =>
      Promise.all(Array.from({ length: 50 }, (_, index) => run(index % 2 ? opened.other : state, index)))

    test('a value is there until its moment has come, and absent from that very millisecond on', async () => {
      await state.set('code:1', 'a', { ttl: 1000 })
      t += 999
      expect(await state.get('code:1')).toBe('a')
      t += 1
      expect(await state.get('code:1')).toBeUndefined()
    })

    test('a value without ttl stays, and set replaces value, life, group and alias as a whole', async () => {
      await state.set('k', 'a', { ttl: 1000, group: 'g', alias: 'n' })
      await state.set('k', 'b')
      t += 10 ** 12
      expect(await state.get('k')).toBe('b')
      expect(await state.group('g')).toEqual([])
      expect(await state.getByAlias('n')).toBeUndefined()
    })

    test('strings come back as they were: empty, long, with NUL and with every plane of Unicode', async () => {
      for (const value of ['', 'x'.repeat(300_000), 'a\u0000b', 'ж 𝄞 é']) {
        await state.set(`k${value.slice(0, 20)}`, value, { alias: `alias ${value.slice(0, 20)}` })
        expect(await state.get(`k${value.slice(0, 20)}`)).toBe(value)
      }
    })

    test('an expired value is absent for every method before any purge', async () => {
      await state.set('k', 'a', { ttl: 5, group: 'g', alias: 'n' })
      await state.addMember('s', 'm', 5)
      t += 5
      expect(await state.getByAlias('n')).toBeUndefined()
      expect(await state.group('g')).toEqual([])
      expect(await state.members('s')).toEqual([])
      expect(await state.compareAndSwap('k', 'a', 'b')).toBe(false)
      expect(await state.compareAndSwap('k', 'a', 'b', { alias: 'z' })).toBe(false)
      expect(await state.deleteGroup('g')).toBe(0)
      expect(await state.removeMember('s', 'm')).toBe(false)
      expect(await state.take('k')).toBeUndefined()
      await state.set('k2', 'a', { ttl: 5 })
      t += 5
      expect(await state.delete('k2')).toBe(false)
    })

    test('add writes where nothing is, or where what was there has expired', async () => {
      expect(await state.add('k', 'a', { ttl: 10, group: 'old' })).toBe(true)
      expect(await state.add('k', 'b')).toBe(false)
      expect(await state.get('k')).toBe('a')
      t += 10
      expect(await state.add('k', 'c', { group: 'new' })).toBe(true)
      expect(await state.group('new')).toEqual([{ key: 'k', value: 'c' }])
      expect(await state.group('old')).toEqual([])
    })

    test('compareAndSwap keeps life, group and alias without options, and replaces them with options', async () => {
      await state.set('k', 'a', { ttl: 100, group: 'g', alias: 'n' })
      expect(await state.compareAndSwap('k', 'wrong', 'b')).toBe(false)
      expect(await state.compareAndSwap('k', 'a', 'b')).toBe(true)
      expect(await state.getByAlias('n')).toEqual({ key: 'k', value: 'b' })
      expect(await state.group('g')).toEqual([{ key: 'k', value: 'b' }])
      expect(await state.compareAndSwap('k', 'b', 'c', { alias: 'm', ttl: 500 })).toBe(true)
      t += 100
      expect(await state.getByAlias('n')).toBeUndefined()
      expect(await state.group('g')).toEqual([])
      expect(await state.getByAlias('m')).toEqual({ key: 'k', value: 'c' })
      expect(await state.compareAndSwap('none', 'a', 'b')).toBe(false)
    })

    test('an alias belongs to the value that was set last; add never takes it from a living one', async () => {
      await state.set('a', '1', { alias: 'n' })
      await state.set('b', '2', { alias: 'n' })
      expect(await state.getByAlias('n')).toEqual({ key: 'b', value: '2' })
      expect(await state.get('a')).toBe('1')
      expect(await state.add('c', '3', { alias: 'n' })).toBe(false)
      expect(await state.get('c')).toBeUndefined()
      await state.set('b', '2', { alias: 'n', ttl: 1 })
      t += 1
      expect(await state.add('c', '3', { alias: 'n' })).toBe(true)
      expect(await state.getByAlias('n')).toEqual({ key: 'c', value: '3' })
      await state.set('d', '4')
      expect(await state.compareAndSwap('d', '4', '5', { alias: 'n' })).toBe(true)
      expect(await state.getByAlias('n')).toEqual({ key: 'd', value: '5' })
      expect(await state.delete('d')).toBe(true)
      expect(await state.getByAlias('n')).toBeUndefined()
    })

    test('a group is listed and deleted together, without what has expired or belongs to others', async () => {
      await state.set('a', '1', { group: 'g' })
      await state.set('b', '2', { group: 'g', ttl: 10 })
      await state.set('c', '3', { group: 'g', ttl: 20 })
      await state.set('d', '4', { group: 'other' })
      t += 10
      expect((await state.group('g')).map(({ key }) => key).sort()).toEqual(['a', 'c'])
      expect(await state.deleteGroup('g')).toBe(2)
      expect(await state.get('a')).toBeUndefined()
      expect(await state.get('d')).toBe('4')
    })

    test('a counter starts at 0, is not prolonged by counting, and starts again after its life', async () => {
      expect(await state.increment('n', 1, 100)).toBe(1)
      t += 60
      expect(await state.increment('n', 5, 100)).toBe(6)
      expect(await state.increment('n', -2, 100)).toBe(4)
      expect(await state.get('n')).toBe('4')
      t += 40
      expect(await state.increment('n', 1, 100)).toBe(1)
      t += 99
      expect(await state.increment('n', 1, 100)).toBe(2)
      await expect(state.increment('n', 0.5, 100)).rejects.toThrow(RangeError)
      await expect(state.set('x', 'y', { ttl: Number.NaN })).rejects.toThrow(RangeError)
    })

    test('members of a set live on their own, adding again prolongs and never shortens', async () => {
      expect(await state.addMember('s', 'a', 100)).toBe(true)
      expect(await state.addMember('s', 'b', 10)).toBe(true)
      expect(await state.addMember('s', 'a', 50)).toBe(false)
      t += 60
      expect(await state.members('s')).toEqual(['a'])
      expect(await state.addMember('s', 'b', 100)).toBe(true)
      expect(await state.addMember('s', 'a', 100)).toBe(false)
      t += 99
      expect((await state.members('s')).sort()).toEqual(['a', 'b'])
      expect(await state.removeMember('s', 'a')).toBe(true)
      expect(await state.removeMember('s', 'a')).toBe(false)
      expect(await state.members('s')).toEqual(['b'])
      expect(await state.members('other')).toEqual([])
    })

    test('of 50 simultaneous takes over two connections one receives the value', async () => {
      await state.set('code', 'secret', { ttl: 1000 })
      const taken = await copies((copy) => copy.take('code'))
      expect(taken.filter((value) => value === 'secret')).toHaveLength(1)
      expect(taken.filter((value) => value === undefined)).toHaveLength(49)
    })

    test('of 50 simultaneous adds, swaps and deletes over two connections one wins', async () => {
      expect((await copies((copy) => copy.add('mark', 'x', { ttl: 1000 }))).filter(Boolean)).toHaveLength(1)
      expect((await copies((copy, i) => copy.compareAndSwap('mark', 'x', `y${i}`))).filter(Boolean)).toHaveLength(1)
      expect((await copies((copy) => copy.addMember('s', 'm', 1000))).filter(Boolean)).toHaveLength(1)
      expect((await copies((copy) => copy.removeMember('s', 'm'))).filter(Boolean)).toHaveLength(1)
      expect((await copies((copy) => copy.delete('mark'))).filter(Boolean)).toHaveLength(1)
    })

    test('of many that give the same alias to different values at once one has it, and the others stay', async () => {
      for (let round = 0; round < 3; round++) {
        await Promise.all(
          Array.from({ length: 20 }, (_, i) => (i % 2 ? opened.other : state).set(`${i}`, `${round}`, { alias: 'n' })),
        )
        const holder = await state.getByAlias('n')
        expect(holder?.value).toBe(`${round}`)
        for (let i = 0; i < 20; i++) expect(await state.get(`${i}`)).toBe(`${round}`)
      }
      expect((await copies((copy, i) => copy.add(`add${i}`, 'x', { alias: 'm' }))).filter(Boolean)).toHaveLength(1)
    })

    test('50 simultaneous increments over two connections answer 50 different counts', async () => {
      const counts = await copies((copy) => copy.increment('tries', 1, 1000))
      expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    })

    test('what a promise has answered is visible to every other connection', async () => {
      for (let i = 0; i < 50; i++) {
        await state.set('k', `${i}`)
        expect(await opened.other.get('k')).toBe(`${i}`)
        expect(await state.get('k')).toBe(`${i}`)
      }
    })

    test('purging removes expired rows in steps of the given size and leaves the living alone', async () => {
      await Promise.all(Array.from({ length: 30 }, (_, i) => state.set(`k${i}`, 'v', { ttl: 10 + i })))
      await Promise.all(Array.from({ length: 5 }, (_, i) => state.addMember('s', `${i}`, 10)))
      await state.set('forever', 'v')
      t += 19
      expect(await state.purge(t, 8)).toBe(8)
      expect(await state.purge(t, 8)).toBe(7)
      expect(await state.purge(t, 8)).toBe(0)
      expect(await state.get('k10')).toBe('v')
      expect(await state.get('forever')).toBe('v')
    })
  })
}
