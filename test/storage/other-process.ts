/** What the tests of the storage run as a second process: `node other-process.ts URL WHAT`. */
import { writeSync } from 'node:fs'
import { sql } from 'kysely'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'

const [url, what] = process.argv.slice(2) as [string, string]
const say = (line: string) => writeSync(1, `${line}\n`)

const storage = await openStorage({
  url,
  clock: systemClock,
  log: silentLog,
  migrations: [
    {
      name: 'test-001-once',
      up: async (records) => {
        await sql`create table once (name text)`.execute(records)
        await new Promise(setImmediate)
        await sql`insert into once values ('applied')`.execute(records)
      },
    },
  ],
})
const { state } = storage

if (what === 'spend') {
  // every process tries each of the 50 things many times, as fast as it can; the parent counts who won
  say('ready')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  const won = { takes: 0, swaps: 0, adds: 0, counted: 0 }
  for (let i = 0; i < 50; i++) {
    const attempts = Array.from({ length: 20 }, async () => {
      if ((await state.take(`once:${i}`)) !== undefined) won.takes++
      if (await state.compareAndSwap(`swap:${i}`, 'fresh', 'used')) won.swaps++
      if (await state.add(`add:${i}`, 'x', { ttl: 60_000 })) won.adds++
      await state.increment('count', 1, 60_000)
      won.counted++
    })
    await Promise.all(attempts)
  }
  say(JSON.stringify(won))
}

if (what === 'write') {
  // writes until it is killed, and says each key only after its promise has resolved
  for (let i = 0; ; i++) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, j) => {
        await state.set(`key:${i}:${j}`, `value ${i} ${j}`)
        say(`key:${i}:${j}`)
      }),
    )
  }
}

if (what === 'hold') {
  // takes the lock for good: a process that hangs inside a transaction
  await storage.records.transaction().execute(async () => {
    say('holding')
    await new Promise((resolve) => process.stdin.once('data', resolve))
  })
}

await storage.close()
process.stdin.destroy()
