/**
 * Loads one target with one scenario and prints one line of JSON. A process of its own, so that it can have a core of
 * its own.
 *
 *     node bench/load/load.ts --target FILE --scenario sso --pid 123 [--users 16] [--warmup 2] [--seconds 5]
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openFlows, type Target } from './flows.ts'
import { cores, percentile, sample } from './processes.ts'
import { SCENARIOS, type User } from './scenarios.ts'

export interface Measured {
  readonly scenario: string
  readonly seconds: number
  readonly operations: number
  readonly perSecond: number
  /** Operations per second of CPU time that the server used: the figure to compare on a machine that is shared. */
  readonly perCpuSecond: number
  readonly p50: number
  readonly p99: number
  readonly errors: number
  readonly lastError?: string
  /** Of one core. Far below 100 the server waited, and `perSecond` is the honest figure. */
  readonly serverCpuPercent: number
  readonly generatorCpuPercent: number
  /** What others took of the server's core. */
  readonly othersPercent: number
  readonly stealPercent: number
  readonly rssMb: number
}

const MOST_ERRORS = 200
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    scenario: { type: 'string' },
    pid: { type: 'string' },
    users: { type: 'string', default: '16' },
    warmup: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '5' },
    core: { type: 'string', default: '0' },
  },
})
const name = values.scenario ?? ''
const scenario = SCENARIOS[name]
if (!scenario || !values.target || !values.pid) throw new Error('wants --target, --pid and a known --scenario')

const pids = [Number(values.pid)]
const core = Number(values.core)
const flows = await openFlows(JSON.parse(readFileSync(values.target, 'utf8')) as Target)
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const round = (value: number, digits = 1) => Number(value.toFixed(digits))

const users: User[] = []
const steps: (() => Promise<unknown>)[] = []
for (let number = 0; number < Number(values.users); number++) {
  const user: User = { connection: flows.connect() }
  users.push(user)
  steps.push(await scenario.prepare(flows, user, number))
}

let running = true
let counting = false
let errors = 0
let lastError: string | undefined
const times: number[] = []
const loops = users.map(async (user, number) => {
  while (running) {
    const began = performance.now()
    try {
      await steps[number]!()
      if (counting) times.push(performance.now() - began)
    } catch (error) {
      lastError = String((error as Error).message).slice(0, 400)
      if (++errors > MOST_ERRORS) running = false
      if (!user.connection.open) user.connection = flows.connect()
      if (user.browser) user.browser.connection = user.connection
    }
  }
})

await sleep(Number(values.warmup) * 1000)
const before = { cores: cores(), server: sample(pids), own: process.cpuUsage(), at: performance.now() }
counting = true
await sleep(Number(values.seconds) * 1000)
counting = false
running = false
const seconds = (performance.now() - before.at) / 1000
const own = process.cpuUsage(before.own)
const after = { cores: cores(), server: sample(pids) }
await Promise.race([Promise.allSettled(loops), sleep(3000)])
for (const user of users) user.connection.close()

times.sort((a, b) => a - b)
const cpu = after.server.cpu - before.server.cpu
const busy = (after.cores[core]?.busy ?? 0) - (before.cores[core]?.busy ?? 0)
const steal = after.cores.reduce((sum, one, at) => sum + one.steal - (before.cores[at]?.steal ?? 0), 0)
const measured: Measured = {
  scenario: name,
  seconds: round(seconds),
  operations: times.length,
  perSecond: round(times.length / seconds),
  perCpuSecond: round(times.length / cpu),
  p50: round(percentile(times, 0.5), 2),
  p99: round(percentile(times, 0.99), 2),
  errors,
  ...(lastError === undefined ? {} : { lastError }),
  serverCpuPercent: round((100 * cpu) / seconds, 0),
  generatorCpuPercent: round((own.user + own.system) / 1e4 / seconds, 0),
  othersPercent: round(Math.max(0, (100 * (busy - cpu)) / seconds), 0),
  stealPercent: round((100 * steal) / seconds),
  rssMb: round(after.server.rss / 1048576, 0),
}
console.log(JSON.stringify(measured))
process.exit(0)
