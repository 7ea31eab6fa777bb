/** What the test of the history runs as a second process: counts 100 failures, 20 at a time, after it was told to. */
import { writeSync } from 'node:fs'
import { openHistory } from '#context'
import { hours, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'

const [file] = process.argv.slice(2) as [string]
const storage = await openStorage({ url: `sqlite:${file}`, clock: systemClock, log: silentLog, migrations: [] })
const history = openHistory({ state: storage.state, clock: systemClock })
writeSync(1, 'ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
const kept = new Map([['failures', hours(1)]] as const)
for (let i = 0; i < 5; i++) await Promise.all(Array.from({ length: 20 }, () => history.count('a', 'failures', kept)))
await storage.close()
process.stdin.destroy()
