import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { recordsContract, thingsMigration } from '../contracts/records.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0

const open = () =>
  openStorage({
    url: `sqlite:${join(folder, `records-${count}.db`)}`,
    clock: systemClock,
    log: silentLog,
    migrations: [thingsMigration],
  })

recordsContract('SQLite', open, () => {
  count++
})

test('on SQLite writes of others wait while a transaction runs, and follow in the order they were asked for', async () => {
  const storage = await open()
  const things = () => storage.records.withTables<{ things: { id: number; name: string; owner: number | null } }>()
  const insert = (id: number) =>
    things()
      .insertInto('things')
      .values({ id, name: `n${id}`, owner: null })
      .execute()
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
  const rows = await things().selectFrom('things').select('id').orderBy('id').execute()
  expect(rows.map(({ id }) => id)).toEqual([1, 2, 11])
  await storage.close()
  count++
})
