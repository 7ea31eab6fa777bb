/**
 * What programs do, beside the bare engine with the same APIs and clients; and what 10,000 partners cost.
 * `npm run bench -- --scenarios apis`, or `node bench/apis/apis.ts [--quick] [--json] [NAME…]` for some of it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { API_SCENARIOS } from '../load/api-scenarios.ts'
import { MAIN, writeFolder } from '../portico-folder.ts'
import { freePort, start } from '../processes.ts'
import { flowsFound } from '../report.ts'
import { targets } from '../table.ts'
import { type Comparison, compare, type Server } from '../throughput.ts'
import type { Found } from '../verdict.ts'
import { apiTarget, type ProgramKey, programKey } from './subjects.ts'
import { fillApis } from './world.ts'

const MANY = 10_000
/** With `--quick`: registering takes longer than measuring. */
const SOME = 1000
const root = join(import.meta.dirname, '../..')
const NAMES = Object.keys(API_SCENARIOS)

async function startBare(folder: string, key: ProgramKey): Promise<Server> {
  const place = join(folder, 'bare')
  mkdirSync(place)
  const port = await freePort()
  const target = join(place, 'target.json')
  writeFileSync(target, JSON.stringify(apiTarget('bare', port, key)))
  const env = { PORT: String(port), DB: join(place, 'bare.db'), PROGRAM_KEY: JSON.stringify(key.publicJwk) }
  const args = [join(root, 'bench/bare/server.ts')]
  return { target, running: await start({ args, port, log: join(place, 'log'), folder: place, env }) }
}

async function startPortico(folder: string, name: string, key: ProgramKey, partners: number): Promise<Server> {
  const place = join(folder, name)
  const port = await freePort()
  const file = writeFolder(place, { port, managementPort: await freePort() })
  const { secret, callers } = await fillApis(file, key, partners)
  const target = join(place, 'target.json')
  writeFileSync(target, JSON.stringify({ ...apiTarget('portico', port, key, secret), callers }))
  const args = [MAIN, 'serve', '--config', file]
  return { target, running: await start({ args, port, log: join(place, 'log'), folder: place }) }
}

export interface ApisOptions {
  readonly folder: string
  readonly quick: boolean
  say(line: string): void
}

export async function apisLayer(
  { folder, quick, say }: ApisOptions,
  names: readonly string[] = NAMES,
): Promise<Comparison[]> {
  const [warmup, seconds] = quick ? [1, 1.5] : [3, 12]
  const options = { seconds, warmup, quick }
  const key = programKey()
  const servers: Server[] = []
  const open = async (server: Promise<Server>) => {
    servers.push(await server)
    return servers.at(-1)!
  }
  try {
    const bare = await open(startBare(folder, key))
    const portico = await open(startPortico(folder, 'one', key, 1))
    const found: Comparison[] = []
    for (const name of names.filter((one) => one !== 'api_many')) {
      say(name)
      const yardstick = name === 'api_authz' ? 'a koa route that reads a cookie' : 'the bare engine'
      found.push(await compare(name, yardstick, bare, portico, options))
    }
    if (names.includes('api_many')) {
      const partners = quick ? SOME : MANY
      say(`${partners} partners`)
      const many = await open(startPortico(folder, 'many', key, partners))
      found.push(await compare('api_many', 'a server with one partner', portico, many, options))
    }
    return found
  } finally {
    for (const { running } of servers) await running.stop()
  }
}

export async function apisFound(options: ApisOptions, names?: readonly string[]): Promise<Found> {
  const found = flowsFound(await apisLayer(options, names))
  const value = found.figures?.['api_many']
  if (!options.quick || typeof value !== 'number') return found
  return { ...found, figures: { ...found.figures, api_many: { value, small: `${SOME} clients` } } }
}

/** Answers the exit code. */
async function apisAlone(quick: boolean, json: boolean, names?: string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const load = loadavg()[0]!
    const say = (line: string) => console.error(`… ${line}`)
    const { told: compared, verdicts, lines: rows } = await apisFound({ folder, quick, say }, names)
    const lines = [...rows!, '', `load of the machine before: ${load.toFixed(1)}`, '', ...targets(verdicts)]
    console.log(json ? JSON.stringify({ load, compared, verdicts }) : lines.join('\n'))
    return verdicts.every(({ met }) => met) ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const unknown = positionals.filter((name) => !NAMES.includes(name))
  if (unknown.length > 0) {
    console.error(`known are ${NAMES.join(', ')}`)
    process.exit(2)
  }
  process.exitCode = await apisAlone(values.quick, values.json, positionals.length > 0 ? positionals : undefined)
}
