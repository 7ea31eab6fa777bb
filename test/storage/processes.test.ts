import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { temporaryFolder } from './folder.ts'
import { onceMigration, start } from './second-process.ts'

const folder = temporaryFolder()
const open = (file: string) =>
  openStorage({ url: `sqlite:${file}`, clock: systemClock, log: silentLog, migrations: [onceMigration] })

test('two processes that start at once on an empty place apply each migration once', async () => {
  for (let round = 0; round < 3; round++) {
    const file = join(folder, `start-${round}`, 'portico.db')
    const started = Array.from({ length: 3 }, () => start(`sqlite:${file}`, 'nothing'))
    for (const { ended } of started) expect(await ended).toEqual([0, null])
    const storage = await open(file)
    expect((await sql`select * from once`.execute(storage.records)).rows).toEqual([{ name: 'applied' }])
    await storage.close()
  }
})

test('two processes that spend the same 50 things 20 times each: every thing is spent once, every count counts', async () => {
  const file = join(folder, 'spend.db')
  const storage = await open(file).catch(() => undefined)
  await storage?.close()
  const started = [start(`sqlite:${file}`, 'spend'), start(`sqlite:${file}`, 'spend')]
  await Promise.all(started.map(({ atLeast }) => atLeast(1)))
  const parent = await open(file)
  for (let i = 0; i < 50; i++) {
    await parent.state.set(`once:${i}`, 'x')
    await parent.state.set(`swap:${i}`, 'fresh')
  }
  for (const { child } of started) child.stdin!.write('go\n')
  await Promise.all(started.map(({ atLeast }) => atLeast(2)))
  const won = started.map(({ lines }) => JSON.parse(lines[1]!) as Record<string, number>)
  const total = (of: string) => won.reduce((sum, each) => sum + each[of]!, 0)
  expect({ takes: total('takes'), swaps: total('swaps'), adds: total('adds') }).toEqual({
    takes: 50,
    swaps: 50,
    adds: 50,
  })
  expect(Math.min(...won.map((each) => each['counted']!))).toBe(1000)
  expect(await parent.state.get('count')).toBe('2000')
  await parent.close()
})

test('every write that was answered before a kill -9 is there afterwards', async () => {
  const file = join(folder, 'kill.db')
  for (let round = 0; round < 3; round++) {
    const { child, lines, atLeast, ended } = start(`sqlite:${file}`, 'write')
    await atLeast(200 + 333 * round)
    child.kill('SIGKILL')
    await ended
    const storage = await open(file)
    // the last line may be cut in the middle of what the killed process was saying
    const answered = lines.filter((line) => /^key:\d+:\d+$/.test(line)).slice(0, -1)
    expect(answered.length).toBeGreaterThan(100)
    for (const key of answered) {
      const [, i, j] = key.split(':')
      expect(await storage.state.get(key)).toBe(`value ${i} ${j}`)
    }
    await storage.close()
  }
})

test('while another process holds the lock we read, our writes wait without stopping us, and go on afterwards', async () => {
  const file = join(folder, 'hold.db')
  const storage = await open(file)
  await storage.state.set('k', 'before')
  const holder = start(`sqlite:${file}`, 'hold')
  await holder.atLeast(1)
  let written = false
  const write = storage.state.set('k', 'after').then(() => {
    written = true
  })
  for (let i = 0; i < 100; i++) {
    await new Promise(setImmediate)
    expect(await storage.state.get('k')).toBe('before')
  }
  expect(written).toBe(false)
  holder.child.stdin!.write('go\n')
  await write
  expect(await storage.state.get('k')).toBe('after')
  await storage.close()
})

test('a write that waits behind a hanging process for 5 s is refused, and the rest works again once that one is gone', async () => {
  const file = join(folder, 'hang.db')
  const storage = await open(file)
  const holder = start(`sqlite:${file}`, 'hold')
  await holder.atLeast(1)
  const refused = storage.state.set('k', 'v')
  await expect(refused).rejects.toMatchObject({ code: 'storage-unavailable', status: 503 })
  holder.child.kill('SIGKILL')
  await holder.ended
  await storage.state.set('k', 'w')
  expect(await storage.state.get('k')).toBe('w')
  await storage.close()
})
