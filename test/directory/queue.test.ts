import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Refusal } from '#core/refusal'
import { createQueue, type QueueOptions } from '../../src/directory/queue.ts'

function make(options: Partial<QueueOptions> = {}) {
  let time = 0
  const refuse = (reason: string) => new Refusal('overloaded', reason)
  const queue = createQueue({ clock: { now: () => time }, places: 1, waiting: 10, deadline: 1000, refuse, ...options })
  const pass = (ms: number) => {
    time += ms
  }
  return { queue, pass }
}

/** Work that ends when it is told to. */
function held() {
  let end = () => {}
  const until = new Promise<void>((resolve) => {
    end = resolve
  })
  return { work: () => until, end }
}

test('who came first is served first, and never more at once than there are places', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 }), async (places, count) => {
      const { queue } = make({ places, waiting: 100 })
      const started: number[] = []
      let most = 0
      const all = Array.from({ length: count }, (_, i) =>
        queue.run(async () => {
          started.push(i)
          most = Math.max(most, queue.running)
          await Promise.resolve()
        }),
      )
      await Promise.all(all)
      expect(started).toEqual(Array.from({ length: count }, (_, i) => i))
      expect(most).toBeLessThanOrEqual(places)
      expect([queue.running, queue.waiting]).toEqual([0, 0])
    }),
    { numRuns: 50 },
  )
})

test('who comes while others wait stands behind them, even in the moment a place is free', async () => {
  const { queue } = make()
  const order: string[] = []
  const first = held()
  const one = queue.run(first.work)
  const two = queue.run(async () => void order.push('waited'))
  const three = one.then(() => queue.run(async () => void order.push('came later')))
  first.end()
  await Promise.all([one, two, three])
  expect(order).toEqual(['waited', 'came later'])
})

test('who has waited too long is turned away when the turn comes, and the next is served', async () => {
  const { queue, pass } = make()
  const first = held()
  const one = queue.run(first.work)
  const late = queue.run(async () => 'served')
  pass(600)
  const inTime = queue.run(async () => 'served')
  pass(600)
  first.end()
  await one
  await expect(late).rejects.toMatchObject({ code: 'overloaded', detail: 'late' })
  expect(await inTime).toBe('served')
})

test('work that fails gives its place back', async () => {
  const { queue } = make({ waiting: 0 })
  for (let i = 0; i < 5; i++) await expect(queue.run(async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await queue.run(async () => 'free')).toBe('free')
})

test('a crowd in one line is not felt in another: lines take turns, each in its own order', async () => {
  const { queue } = make({ waiting: 100 })
  const order: string[] = []
  const first = held()
  const all = [queue.run(first.work)]
  const come = (name: string, line?: string) => all.push(queue.run(async () => void order.push(name), line))
  for (let i = 1; i <= 5; i++) come(`crowd ${i}`, 'crowd')
  come('alone 1')
  come('alone 2')
  come('third', 'other')
  expect(queue.waiting).toBe(8)
  first.end()
  await Promise.all(all)
  expect(order).toEqual([
    ...['crowd 1', 'alone 1', 'third', 'crowd 2', 'alone 2'],
    ...['crowd 3', 'crowd 4', 'crowd 5'],
  ])
  expect(queue.waiting).toBe(0)
})

test('the most that may wait are counted over all lines', async () => {
  const { queue } = make({ waiting: 2 })
  const first = held()
  const all = [queue.run(first.work), queue.run(async () => {}, 'one'), queue.run(async () => {}, 'two')]
  await expect(queue.run(async () => {}, 'three')).rejects.toMatchObject({ code: 'overloaded' })
  first.end()
  await Promise.all(all)
  await queue.run(async () => {}, 'three')
})
