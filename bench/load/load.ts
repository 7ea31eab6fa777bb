/**
 * Loads one or more servers with one scenario, in turns of half a second, and prints one line of JSON for each. Whatever
 * else happens on the machine then hits all of them, and their ratio holds where the figures themselves do not. A process
 * of its own, so that it can have a core of its own.
 *
 *     node bench/load/load.ts --scenario sso --target FILE --pid 123 [--target FILE --pid 456 …]
 *         [--users 16] [--warmup 2] [--seconds 5]      seconds for each server
 *         [--rate 4000]                                so many a second and not as many as it can, of the first server only
 *
 * Without any --pid the servers may be anywhere, and nothing is said of their CPU and memory; `bench/README.md` has a target file.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { API_SCENARIOS } from './api-scenarios.ts'
import { type Flows, openFlows, type Target } from './flows.ts'
import { paced } from './paced.ts'
import { cpuSeconds as cpuSecondsOf, percentile, rssBytes } from './processes.ts'
import { ALONE, SCENARIOS, type User } from './scenarios.ts'

export interface Measured {
  readonly target: string
  readonly scenario: string
  readonly operations: number
  readonly perSecond: number
  /** Operations per second of CPU time that the server used: the figure to compare on a machine that is shared. */
  readonly perCpuSecond: number
  /** The same, turn by turn. */
  readonly turns: readonly number[]
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Of an even pace: from when each was due, what the load generator noticed too late included. */
  readonly sinceDue99?: number
  readonly errors: number
  readonly lastError?: string
  /** Of one core, while it was its turn. Far below 100 the server waited or was kept waiting. */
  readonly serverCpuPercent: number
  readonly rssMb: number
}

/** Of a server that is somewhere else: no number, which JSON writes as null. */
const UNKNOWN = Number.NaN
const cpuSeconds = (pid: number | undefined) => (pid === undefined ? UNKNOWN : cpuSecondsOf(pid))

interface Loaded {
  readonly flows: Flows
  readonly pid: number | undefined
  readonly users: readonly User[]
  readonly steps: readonly (() => Promise<unknown>)[]
  readonly times: number[]
  readonly turns: number[]
  seconds: number
  cpu: number
  errors: number
  lastError?: string
  sinceDue99?: number
}

const TURN = 500
const MOST_ERRORS = 200
const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: [] },
    pid: { type: 'string', multiple: true, default: [] },
    scenario: { type: 'string' },
    users: { type: 'string', default: '16' },
    warmup: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '5' },
    rate: { type: 'string' },
  },
})
const name = values.scenario ?? ''
const scenario = SCENARIOS[name] ?? ALONE[name] ?? API_SCENARIOS[name]
if (!scenario || values.target.length === 0 || ![0, values.target.length].includes(values.pid.length))
  throw new Error('wants a known --scenario, and a --pid for each --target or for none')

async function prepare(file: string, pid: number | undefined): Promise<Loaded> {
  const flows = await openFlows(JSON.parse(readFileSync(file, 'utf8')) as Target)
  const users: User[] = []
  const steps: (() => Promise<unknown>)[] = []
  for (let number = 0; number < Number(values.users); number++) {
    const user: User = { connection: flows.connect() }
    users.push(user)
    steps.push(await scenario!.prepare(flows, user, number))
  }
  return { flows, pid, users, steps, times: [], turns: [], seconds: 0, cpu: 0, errors: 0 }
}

/** All users of one server for half a second; ends when the last answer has come, so that the next finds it idle. */
async function turn(loaded: Loaded, counting: boolean): Promise<void> {
  const { users, steps, flows, pid } = loaded
  const began = performance.now()
  const cpu = cpuSeconds(pid)
  const times: number[] = []
  const loop = async (user: User, step: () => Promise<unknown>) => {
    while (performance.now() - began < TURN && loaded.errors <= MOST_ERRORS) {
      const at = performance.now()
      try {
        await step()
        times.push(performance.now() - at)
      } catch (error) {
        loaded.errors++
        loaded.lastError = String((error as Error).message).slice(0, 400)
        if (!user.connection.open) user.connection = flows.connect()
        if (user.browser) user.browser.connection = user.connection
      }
    }
  }
  await Promise.all(users.map((user, number) => loop(user, steps[number]!)))
  if (!counting) return
  const used = cpuSeconds(pid) - cpu
  loaded.cpu += used
  loaded.seconds += (performance.now() - began) / 1000
  loaded.turns.push(times.length / used)
  loaded.times.push(...times)
}

async function atRate(loaded: Loaded, rate: number, seconds: number): Promise<void> {
  const began = performance.now()
  const cpu = cpuSeconds(loaded.pid)
  const { times, sinceDue, errors, lastError } = await paced(loaded.steps, rate, seconds)
  for (const time of times) loaded.times.push(time)
  loaded.sinceDue99 = percentile(
    [...sinceDue].sort((a, b) => a - b),
    0.99,
  )
  loaded.seconds = (performance.now() - began) / 1000
  loaded.cpu = cpuSeconds(loaded.pid) - cpu
  loaded.errors = errors
  if (lastError !== undefined) loaded.lastError = lastError
}

const round = (value: number, digits = 1) => Number(value.toFixed(digits))

function measured({ flows, pid, times, turns, seconds, cpu, errors, lastError, sinceDue99 }: Loaded): Measured {
  times.sort((a, b) => a - b)
  return {
    target: flows.target.name,
    scenario: name,
    operations: times.length,
    perSecond: round(times.length / seconds),
    perCpuSecond: round(times.length / cpu),
    turns: turns.map((one) => round(one)),
    p50: round(percentile(times, 0.5), 2),
    p99: round(percentile(times, 0.99), 2),
    ...(sinceDue99 === undefined ? {} : { sinceDue99: round(sinceDue99, 2) }),
    errors,
    ...(lastError === undefined ? {} : { lastError }),
    serverCpuPercent: round((100 * cpu) / seconds, 0),
    rssMb: pid === undefined ? UNKNOWN : round(rssBytes(pid) / 1048576, 0),
  }
}

const servers: Loaded[] = []
for (const [at, file] of values.target.entries()) {
  const pid = values.pid[at]
  servers.push(await prepare(file, pid === undefined ? undefined : Number(pid)))
}
const rounds = (seconds: string | undefined) => Math.max(1, Math.round((Number(seconds) * 1000) / TURN))
for (let round = 0; round < rounds(values.warmup); round++) for (const one of servers) await turn(one, false)
if (values.rate === undefined)
  for (let round = 0; round < rounds(values.seconds); round++) for (const one of servers) await turn(one, true)
else await atRate(servers[0]!, Number(values.rate), Number(values.seconds))
for (const one of servers) {
  console.log(JSON.stringify(measured(one)))
  for (const user of one.users) user.connection.close()
}
process.exit(0)
