import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, test, vi } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { unitContract } from '../contracts/unit.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0

unitContract('SQLite', {
  commits: 'together',
  open: () =>
    openStorage({
      url: `sqlite:${join(folder, `unit-${count}.db`)}`,
      clock: systemClock,
      log: silentLog,
      migrations: [],
    }),
  fill: async (storage) => void (await sql`pragma max_page_count = 60`.execute(storage.records)),
  finish: () => {
    count++
  },
})

test('what comes with the next turn of the event loop is in the same commit; however much comes, nobody waits for long', async () => {
  const file = join(folder, 'turns.db')
  const storage = await openStorage({ url: `sqlite:${file}`, clock: systemClock, log: silentLog, migrations: [] })
  const beside = new DatabaseSync(file, { readOnly: true })
  const kept = () => Number(beside.prepare('select count(*) as n from state').get()!['n'])
  await storage.state.set('before', 'v')

  const first = storage.state.set('first', 'v')
  await turn()
  const second = storage.state.set('second', 'v')
  expect(kept()).toBe(1)
  await first
  expect(kept()).toBe(3)
  await second

  const writes: Promise<void>[] = []
  let answered = false
  for (let turns = 1; !answered; turns++) {
    expect(turns).toBeLessThanOrEqual(6)
    writes.push(storage.state.set(`one more ${turns}`, 'v'))
    void writes[0]!.then(() => {
      answered = true
    })
    await turn()
  }
  await Promise.all(writes)
  beside.close()
  await storage.close()
})

test('what is worth nothing after a power cut is written without waiting for the disk, and everything else as before', async () => {
  const file = join(folder, 'unsynced.db')
  const storage = await openStorage({ url: `sqlite:${file}`, clock: systemClock, log: silentLog, migrations: [] })
  const said: string[] = []
  const { exec } = DatabaseSync.prototype
  const { run } = StatementSync.prototype
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, text) {
    said.push(text)
    return exec.call(this, text)
  })
  vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (this: StatementSync, ...values) {
    said.push(/^\w+/.exec(this.sourceSQL)![0])
    return run.apply(this, values as never)
  })
  const [FULL, NORMAL] = ['PRAGMA synchronous=2', 'PRAGMA synchronous=1']
  try {
    const all = [storage.state.set('a', '1'), storage.unsynced.set('b', '2'), storage.state.set('c', '3')]
    await Promise.all(all)
    expect(said).toEqual([
      // migrations came before it, which did not wait either
      ...[FULL, 'BEGIN', 'INSERT', 'COMMIT'],
      ...[NORMAL, 'BEGIN', 'INSERT', 'COMMIT'],
      ...[FULL, 'BEGIN', 'INSERT', 'COMMIT'],
    ])
    said.length = 0
    await storage.unsynced.set('b', '3')
    await expect(storage.unsynced.increment('b', 0.5, 1000)).rejects.toThrow(RangeError)
    await storage.records.transaction().execute(async (own) => void (await sql`delete from state`.execute(own)))
    expect(said.slice(0, 4)).toEqual([NORMAL, 'BEGIN', 'INSERT', 'COMMIT'])
    expect(said[4]).toBe(FULL)
  } finally {
    vi.restoreAllMocks()
    await storage.close()
  }
})
