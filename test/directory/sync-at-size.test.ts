/** A directory of 20,000 people in 1,401 groups, the one of the bench, brought over from a real slapd. */
import { expect, onTestFinished, test } from 'vitest'
import { PEOPLE, startLarge } from '../../bench/directories/world.ts'
import { openHouse } from './house.ts'

/** A page of an answer and what its size may vary by (`ldap-pages.ts`). */
const MOST_AT_ONCE = 300
const MOST_HEAP = 256 * 2 ** 20

test('20,000 people come over page by page, all of them once, and a second time nothing is written', async () => {
  const slapd = await startLarge(PEOPLE)
  onTestFinished(() => slapd.end())
  const house = await openHouse([slapd.settings({ timeout: '30s' })])
  onTestFinished(() => house.people.close())
  const sync = async () => {
    let [before, largest, heap] = [0, 0, 0]
    const idle = process.memoryUsage().heapUsed
    const report = await house.people.sync(
      'staff',
      {
        progress({ read }) {
          largest = Math.max(largest, read - before)
          before = read
          heap = Math.max(heap, process.memoryUsage().heapUsed - idle)
        },
      },
      'cli',
    )
    return { report, largest, heap }
  }
  const first = await sync()
  expect(first.report).toMatchObject({ scope: 'all', read: PEOPLE, added: PEOPLE, changed: 0, gone: 0, failed: 0 })
  expect(first.largest).toBeGreaterThan(0)
  expect(first.largest).toBeLessThanOrEqual(MOST_AT_ONCE)
  expect(first.heap).toBeLessThan(MOST_HEAP)
  const found = await house.people.find('user19999')
  expect(found).toMatchObject({ name: 'Given19999 Family19999', mail: 'user19999@kestrel.example' })
  expect(found?.groups).toHaveLength(3)
  const second = await sync()
  expect(second.report).toMatchObject({ added: 0, changed: 0, gone: 0, failed: 0 })
}, 120_000)
