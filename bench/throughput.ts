/** The flows, on the bare engine and on Portico in the same run, and their ratio. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { API_SCENARIOS } from './load/api-scenarios.ts'
import type { Measured } from './load/load.ts'
import { SCENARIOS } from './load/scenarios.ts'
import { fill, MAIN, writeFolder } from './portico-folder.ts'
import { freePort, LOAD_CORE, onCore, type Running, start } from './processes.ts'
import { bareSecret, targetOf } from './subjects.ts'

const root = join(import.meta.dirname, '..')

/** Of programs (`apis/`). The route that reads a cookie is no yardstick of ours for `/authz/api`: its target is `AT_LEAST`. */
export const API_TARGETS: Readonly<Record<string, number>> = {
  api_opaque: 0.8,
  api_jwt: 0.9,
  api_assertion: 0.9,
  api_dpop: 0.9,
  api_introspection: 0.8,
  api_authz: 0,
  api_many: 0.9,
}

/** What the ratio must be at least; the other scenarios are for information. */
const TARGETS: Readonly<Record<string, number>> = {
  sso: 0.8,
  client_credentials: 0.8,
  login: 2,
  forward_auth: 0.5,
  ...API_TARGETS,
}

/**
 * How much longer than the others a flow is warmed up. A second has some forty sign-ins and a thousand silent sign-ons:
 * after the same time the one would run in the interpreter still, on both servers, which no server does on its second day.
 */
const LONGER_WARM_UP: Readonly<Record<string, number>> = { login: 7 }

/** Flows that are loaded once more at half of `AT_LEAST`; 99 % are to be answered within so many milliseconds. */
export const AT_HALF: Readonly<Record<string, number>> = { forward_auth: 5 }

/** Operations per second of server CPU. */
export const AT_LEAST: Readonly<Record<string, number>> = { forward_auth: 8_000, api_authz: 6_000 }

const YARDSTICKS: Readonly<Record<string, string>> = {
  login: 'the bare engine with the same hash',
  forward_auth: 'a koa route that reads a cookie',
}

export interface Comparison {
  readonly scenario: string
  readonly title: string
  /** What Portico is compared with. */
  readonly yardstick: string
  readonly bare: Measured
  readonly portico: Measured
  /** Of the operations per second of server CPU. */
  readonly ratio: number
  /** The middle half of the ratios of single turns: how far to trust the ratio. */
  readonly spread: readonly [low: number, high: number]
  readonly target?: number
  /** At half of what is wanted of a core. */
  readonly half?: Measured
}

export interface ThroughputOptions {
  readonly folder: string
  readonly scenarios: readonly string[]
  readonly alg: string
  /** For each server. */
  readonly seconds: number
  readonly warmup: number
  say(line: string): void
}

export interface Server {
  readonly running: Running
  readonly target: string
}

async function startBare(folder: string, name: string, alg: string, hash: 'node' | 'node-rs'): Promise<Server> {
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
    env: { PORT: String(port), DB: join(place, 'bare.db'), ALG: alg, HASH: hash },
  })
  return { running, target }
}

async function startPortico(folder: string, alg: string): Promise<Server> {
  const place = join(folder, 'portico')
  const port = await freePort()
  const file = writeFolder(place, { port, managementPort: await freePort() })
  const target = join(place, 'target.json')
  writeFileSync(target, JSON.stringify(await fill(file, port, alg)))
  const args = [MAIN, 'serve', '--config', file]
  return { running: await start({ args, port, log: join(place, 'log'), folder: place }), target }
}

export async function throughput(options: ThroughputOptions): Promise<Comparison[]> {
  const { folder, scenarios, alg, say } = options
  const servers: Server[] = []
  try {
    const bare = await startBare(folder, 'bare', alg, 'node-rs')
    servers.push(bare)
    const portico = await startPortico(folder, alg)
    servers.push(portico)
    const results: Comparison[] = []
    for (const scenario of scenarios) {
      const title = SCENARIOS[scenario]!.title
      say(title)
      if (scenario === 'login') {
        // the target names Node's own argon2; beside it, the engine with the same hash as ours
        const node = await startBare(folder, 'bare-node-argon2', alg, 'node')
        servers.push(node)
        results.push(await compare(scenario, "the bare engine with Node's own argon2", node, portico, options))
        await node.running.stop()
      }
      const yardstick = YARDSTICKS[scenario] ?? 'the bare engine'
      const compared = await compare(scenario, yardstick, bare, portico, options)
      results.push(scenario === 'login' ? withoutTarget(compared) : compared)
    }
    return results
  } finally {
    for (const { running } of servers) await running.stop()
  }
}

export async function compare(
  scenario: string,
  yardstick: string,
  bare: Server,
  portico: Server,
  { seconds, warmup }: Pick<ThroughputOptions, 'seconds' | 'warmup'>,
): Promise<Comparison> {
  const warm = warmup * (LONGER_WARM_UP[scenario] ?? 1)
  const args = ['--scenario', scenario, '--seconds', String(seconds), '--warmup', String(warm)]
  for (const { target, running } of [bare, portico]) args.push('--target', target, '--pid', String(running.pid))
  const [first, second] = (await load(args, 2)) as [Measured, Measured]
  const target = TARGETS[scenario] || undefined
  const half = Object.hasOwn(AT_HALF, scenario) ? await atHalf(scenario, portico, seconds) : undefined
  const ratios = second.turns.map((one, turn) => one / first.turns[turn]!).sort((a, b) => a - b)
  const quarter = (share: number) => ratios[Math.floor((ratios.length - 1) * share)]!
  return {
    scenario,
    title: (SCENARIOS[scenario] ?? API_SCENARIOS[scenario])!.title,
    yardstick,
    bare: first,
    portico: second,
    ratio: second.perCpuSecond / first.perCpuSecond,
    spread: [quarter(0.25), quarter(0.75)],
    ...(target === undefined ? {} : { target }),
    ...(half === undefined ? {} : { half }),
  }
}

async function atHalf(scenario: string, { target, running }: Server, seconds: number) {
  const about = ['--scenario', scenario, '--target', target, '--pid', String(running.pid)]
  const how = ['--rate', String(AT_LEAST[scenario]! / 2), '--seconds', String(seconds), '--warmup', '1']
  return (await load([...about, ...how], 1))[0]!
}

const withoutTarget = ({ target: _, ...rest }: Comparison): Comparison => rest

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
