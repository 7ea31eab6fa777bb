/** Spends as fast as it can until told to stop: `node redis-process.ts RECORDS STATE NAME FIRST`. */
import { writeSync } from 'node:fs'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage, together } from '#storage'

const [records, url, name] = process.argv.slice(2) as [string, string, string]
const say = (line: string) => writeSync(1, `${line}\n`)

const storage = await openStorage({
  url: records,
  state: { url, sentinelPassword: 'watch' },
  clock: systemClock,
  log: silentLog,
  migrations: [],
})
const { state } = storage
let going = true
process.stdin.once('data', () => {
  going = false
})

/** Whoever is told yes says so; whoever is refused says nothing, and comes again. */
async function attempt(what: string, act: () => Promise<boolean>): Promise<void> {
  try {
    if (await together(act)) say(`${what} ${name}`)
  } catch (error) {
    if ((error as { code?: string }).code !== 'storage-unavailable') say(`bug ${String(error).replaceAll('\n', ' ')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

say('ready')
// both processes go through the same things at about the same time, and some behind each other once more
for (let i = 0; going; i++) {
  await Promise.all(
    [i, Math.max(0, i - 1), Math.max(0, i - 7)].flatMap((n) => [
      attempt(`take:${n}`, async () => (await state.take(`code:${n}`)) !== undefined),
      attempt(`add:${n}`, () => state.add(`mark:${n}`, name, { ttl: 600_000 })),
      attempt(`swap:${n}`, () => state.compareAndSwap(`swap:${n}`, 'fresh', 'used')),
      attempt(`end:${n}`, () => state.delete(`session:${n}`)),
    ]),
  )
  say(`at ${i}`)
}
await storage.close()
process.stdin.destroy()
