/** The flows, on the bare engine and on Portico in the same run, and their ratio. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bestHashRate } from './hash-rate.ts'
import { API_SCENARIOS } from './load/api-scenarios.ts'
import type { Measured } from './load/load.ts'
import { SCENARIOS } from './load/scenarios.ts'
import { fill, MAIN, writeFolder } from './portico-folder.ts'
import { freePort, LOAD_CORE, onCore, type Running, start } from './processes.ts'
import { bareSecret, targetOf } from './subjects.ts'
import { AT_HALF, AT_LEAST, BESIDE_DURABLE, BESIDE_NODES_ARGON2, TARGETS } from './targets.ts'

const root = join(import.meta.dirname, '..')

/**
 * How much longer than the others a flow is warmed up. A second has some forty sign-ins and a thousand silent sign-ons:
 * after the same time the one would run in the interpreter still, on both servers, which no server does on its second day.
 */
const LONGER_WARM_UP: Readonly<Record<string, number>> = { login: 7 }
/** One takes a machine that stands still for 60 ms, as virtual ones do, for a slow server. */
const WINDOWS = 5
/** With `--quick`. */
const LONG_ENOUGH_FOR_A_LOOK = 3

/** Flows that are loaded on the engine with maps for a store as well: those that have a target beside it. */
const BESIDE_MEMORY = new Set(TARGETS.filter(({ unit }) => unit === '× bare').map(({ scenario }) => scenario))

const YARDSTICKS: Readonly<Record<string, string>> = {
  login: 'the bare engine with the same hash',
  forward_auth: 'a koa route that reads a cookie',
}

/** What Portico is compared with. */
export interface Beside {
  readonly measured: Measured
  /** Of the operations per second of server CPU. */
  readonly ratio: number
  /** The middle half of the ratios of single turns: how far to trust the ratio. */
  readonly spread: readonly [low: number, high: number]
}

export interface Comparison {
  readonly scenario: string
  readonly title: string
  readonly yardstick: string
  readonly bare: Measured
  readonly portico: Measured
  readonly ratio: Beside['ratio']
  readonly spread: Beside['spread']
  readonly target?: number
  /** The engine alone on maps. */
  readonly memory?: Beside
  /** Hashes per second of CPU by nothing but the hash. */
  readonly hashAlone?: number
  /** At half of what is wanted of a core: the window with the middle p99, and the p99 of each in milliseconds. */
  readonly half?: Measured & { readonly windows99: readonly number[] }
}

export interface ThroughputOptions {
  readonly folder: string
  readonly scenarios: readonly string[]
  readonly alg: string
  readonly quick: boolean
  /** For each server. */
  readonly seconds: number
  readonly warmup: number
  say(line: string): void
}

export interface Server {
  readonly running: Running
  readonly target: string
}

interface Bare {
  readonly alg: string
  readonly hash: 'node' | 'node-rs'
  /** Absent: on the disk. */
  readonly store?: 'memory'
}

async function startBare(folder: string, name: string, { alg, hash, store }: Bare): Promise<Server> {
  const place = join(folder, name)
  mkdirSync(place)
  const port = await freePort()
  const target = join(place, 'target.json')
  writeFileSync(target, JSON.stringify(targetOf(name, port, bareSecret)))
  const running = await start({
    args: [join(root, 'bench/bare/server.ts')],
    port,
    log: join(place, 'log'),
    folder: place,
    env: { PORT: String(port), DB: store === 'memory' ? '' : join(place, 'bare.db'), ALG: alg, HASH: hash },
  })
  return { running, target }
}

/** With the people and apps of every folder of the bench; `more` are settings, `cores` others than the one for servers. */
export async function startPortico(
  folder: string,
  {
    name = 'portico',
    alg = 'ES256',
    more = {},
    cores,
  }: { name?: string; alg?: string; more?: object; cores?: string } = {},
): Promise<Server & { readonly file: string }> {
  const place = join(folder, name)
  const port = await freePort()
  const file = writeFolder(place, { port, managementPort: await freePort() }, more)
  const target = join(place, 'target.json')
  writeFileSync(target, JSON.stringify(await fill(file, port, alg)))
  const args = [MAIN, 'serve', '--config', file]
  const running = await start({ args, port, log: join(place, 'log'), folder: place, ...(cores ? { core: cores } : {}) })
  return { file, running, target }
}

export async function throughput(options: ThroughputOptions): Promise<Comparison[]> {
  const { folder, scenarios, alg, seconds, quick, say } = options
  const servers: Server[] = []
  const opened = async <T extends Server>(server: Promise<T>) => {
    servers.push(await server)
    return servers.at(-1) as T
  }
  try {
    const bare = await opened(startBare(folder, 'bare', { alg, hash: 'node-rs' }))
    const portico = await opened(startPortico(folder, { alg }))
    const memory = scenarios.some((name) => BESIDE_MEMORY.has(name))
      ? await opened(startBare(folder, 'bare-memory', { alg, hash: 'node-rs', store: 'memory' }))
      : undefined
    const results: Comparison[] = []
    for (const scenario of scenarios) {
      say(SCENARIOS[scenario]!.title)
      const yardstick = YARDSTICKS[scenario] ?? 'the bare engine'
      const beside = BESIDE_MEMORY.has(scenario) ? memory : undefined
      if (scenario !== 'login') {
        results.push(await compare(scenario, yardstick, bare, portico, options, beside))
        continue
      }
      if (!quick) results.push(await besideNodes(options, portico))
      // before and after, and the better of both: the machine is not the same all the time
      const before = await bestHashRate(seconds / 2)
      const compared = await compare(scenario, yardstick, bare, portico, options)
      results.push({ ...compared, hashAlone: Math.max(before, await bestHashRate(seconds / 2)) })
    }
    return results
  } finally {
    for (const { running } of servers) await running.stop()
  }
}

/** Sign-ins beside the engine with the argon2 that Node brings. */
async function besideNodes(options: ThroughputOptions, portico: Server): Promise<Comparison> {
  const node = await startBare(options.folder, 'bare-node-argon2', { alg: options.alg, hash: 'node' })
  try {
    const compared = await compare('login', "the bare engine with Node's own argon2", node, portico, options)
    return { ...compared, target: BESIDE_NODES_ARGON2 }
  } finally {
    await node.running.stop()
  }
}

export async function compare(
  scenario: string,
  yardstick: string,
  bare: Server,
  portico: Server,
  { seconds, warmup, quick }: Pick<ThroughputOptions, 'seconds' | 'warmup' | 'quick'>,
  memory?: Server,
): Promise<Comparison> {
  const longer = LONGER_WARM_UP[scenario]
  const warm = warmup * (longer === undefined ? 1 : quick ? LONG_ENOUGH_FOR_A_LOOK : longer)
  const servers = [bare, portico, ...(memory ? [memory] : [])]
  const [first, second, third] = await inTurns(scenario, servers, { seconds, warmup: warm })
  const target = BESIDE_DURABLE[scenario]
  const half = Object.hasOwn(AT_HALF, scenario)
    ? await atHalf(scenario, portico, seconds, quick ? 1 : WINDOWS)
    : undefined
  const { ratio, spread } = beside(first!, second!)
  return {
    ...{ scenario, yardstick, ratio, spread, bare: first!, portico: second! },
    title: (SCENARIOS[scenario] ?? API_SCENARIOS[scenario])!.title,
    ...(target === undefined ? {} : { target }),
    ...(third === undefined ? {} : { memory: beside(third, second!) }),
    ...(half === undefined ? {} : { half }),
  }
}

export function beside(measured: Measured, portico: Measured): Beside {
  const ratios = portico.turns.map((one, turn) => one / measured.turns[turn]!).sort((a, b) => a - b)
  const quarter = (share: number) => ratios[Math.floor((ratios.length - 1) * share)]!
  return { measured, ratio: portico.perCpuSecond / measured.perCpuSecond, spread: [quarter(0.25), quarter(0.75)] }
}

/** One flow on all these servers, which take turns of half a second. */
export function inTurns(
  scenario: string,
  servers: readonly Server[],
  { seconds, warmup, users }: { readonly seconds: number; readonly warmup: number; readonly users?: number },
): Promise<Measured[]> {
  const args = ['--scenario', scenario, '--seconds', String(seconds), '--warmup', String(warmup)]
  if (users !== undefined) args.push('--users', String(users))
  for (const { target, running } of servers) args.push('--target', target, '--pid', String(running.pid))
  return load(args, servers.length)
}

async function atHalf(scenario: string, { target, running }: Server, seconds: number, windows: number) {
  const about = ['--scenario', scenario, '--target', target, '--pid', String(running.pid)]
  const how = ['--rate', String(AT_LEAST[scenario]! / 2), '--seconds', String(seconds), '--warmup', '1']
  const found: Measured[] = []
  while (found.length < windows) found.push((await load([...about, ...how], 1))[0]!)
  const middle = found.toSorted((a, b) => a.p99 - b.p99)[Math.floor(windows / 2)]!
  const failed = found.find(({ errors }) => errors > 0) ?? middle
  const { errors, lastError } = failed
  return {
    ...middle,
    errors,
    ...(lastError === undefined ? {} : { lastError }),
    windows99: found.map(({ p99 }) => p99),
  }
}

function load(args: readonly string[], servers: number): Promise<Measured[]> {
  const [command, all] = onCore(LOAD_CORE, [join(root, 'bench/load/load.ts'), ...args])
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      const lines = out.split('\n').filter((line) => line.startsWith('{'))
      if (lines.length === servers) resolve(lines.map((line) => JSON.parse(line) as Measured))
      else reject(new Error(`the load generator did not finish: ${args.join(' ')}`))
    })
  })
}
