import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { databases } from './postgres.ts'
import { onceMigration, start } from './second-process.ts'

const here = databases()
beforeEach(here.next)
const open = () => openStorage({ url: here.url(), clock: systemClock, log: silentLog, migrations: [onceMigration] })

test('processes that start at once on an empty database apply each migration once', async () => {
  const started = Array.from({ length: 3 }, () => start(here.url(), 'nothing'))
  for (const { ended } of started) expect(await ended).toEqual([0, null])
  const storage = await open()
  expect((await sql`select * from once`.execute(storage.records)).rows).toEqual([{ name: 'applied' }])
  await storage.close()
})

test('two processes that spend the same 50 things 20 times each: every thing is spent once, every count counts', async () => {
  await start(here.url(), 'nothing').ended
  const started = [start(here.url(), 'spend'), start(here.url(), 'spend')]
  await Promise.all(started.map(({ atLeast }) => atLeast(1)))
  const parent = await open()
  for (let i = 0; i < 50; i++) {
    await parent.state.set(`once:${i}`, 'x')
    await parent.state.set(`swap:${i}`, 'fresh')
  }
  for (const { child } of started) child.stdin!.write('go\n')
  await Promise.all(started.map(({ atLeast }) => atLeast(2)))
  const won = started.map(({ lines }) => JSON.parse(lines[1]!) as Record<string, number>)
  const total = (of: string) => won.reduce((sum, each) => sum + each[of]!, 0)
  expect([total('takes'), total('swaps'), total('adds'), total('counted')]).toEqual([50, 50, 50, 2000])
  expect(await parent.state.get('count')).toBe('2000')
  await parent.close()
})

test('every write that was answered before a kill -9 is there afterwards', async () => {
  const { child, lines, atLeast, ended } = start(here.url(), 'write')
  await atLeast(400)
  child.kill('SIGKILL')
  await ended
  const storage = await open()
  // the last line may be cut in the middle of what the killed process was saying
  const answered = lines.filter((line) => /^key:\d+:\d+$/.test(line)).slice(0, -1)
  expect(answered.length).toBeGreaterThan(100)
  for (const key of answered) {
    const [, i, j] = key.split(':')
    expect(await storage.state.get(key)).toBe(`value ${i} ${j}`)
  }
  await storage.close()
})

test('while a process hangs inside a transaction we read and write; our transactions wait, and go on when it is gone', async () => {
  await start(here.url(), 'nothing').ended
  const storage = await open()
  const holder = start(here.url(), 'hold')
  await holder.atLeast(1)
  await storage.state.set('k', 'v')
  expect(await storage.state.get('k')).toBe('v')
  const insert = () =>
    storage.records.transaction().execute((transaction) => sql`insert into once values ('ours')`.execute(transaction))
  const refused = insert()
  await expect(refused).rejects.toMatchObject({ code: 'storage-unavailable', status: 503 })
  expect((await sql`select * from once`.execute(storage.records)).rows.length).toBe(1)
  const waiting = insert()
  holder.child.kill('SIGKILL')
  await waiting
  expect((await sql`select * from once`.execute(storage.records)).rows.length).toBe(2)
  await storage.close()
})
