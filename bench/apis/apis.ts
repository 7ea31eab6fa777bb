/**
 * What programs do, beside the bare engine with the same APIs and clients; and what 10,000 partners cost.
 * `npm run bench -- --scenarios apis`, or `node bench/apis/apis.ts [--quick] [--json] [NAME…]` for some of it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MAIN, writeFolder } from '../portico-folder.ts'
import { freePort, start } from '../processes.ts'
import { flowRows, flowVerdicts } from '../report.ts'
import { targets } from '../table.ts'
import { API_TARGETS, type Comparison, compare, type Server } from '../throughput.ts'
import { apiTarget, type ProgramKey, programKey } from './subjects.ts'
import { fillApis } from './world.ts'

const MANY = 10_000
const root = join(import.meta.dirname, '../..')
const NAMES = Object.keys(API_TARGETS)

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

export async function apisLayer({ folder, quick, say }: ApisOptions, names = NAMES): Promise<Comparison[]> {
  const [warmup, seconds] = quick ? [2, 4] : [3, 12]
  const options = { seconds, warmup }
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
      say(`${MANY} partners`)
      const many = await open(startPortico(folder, 'many', key, MANY))
      found.push(await compare('api_many', 'a server with one partner', portico, many, options))
    }
    return found
  } finally {
    for (const { running } of servers) await running.stop()
  }
}

/** Answers the exit code. */
export async function apisAlone(quick: boolean, json: boolean, names?: string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const load = loadavg()[0]!
    const say = (line: string) => console.error(`… ${line}`)
    const compared = await apisLayer({ folder, quick, say }, names)
    const verdicts = flowVerdicts(compared)
    const lines = [
      ...flowRows(compared),
      '',
      `load of the machine before: ${load.toFixed(1)}`,
      '',
      ...targets(verdicts),
    ]
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
