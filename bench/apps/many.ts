/** What 1,000 registered apps cost a server: beside one with a handful, in turns, on the same core. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Measured as Load } from '../load/load.ts'
import { rssBytes } from '../load/processes.ts'
import { inFresh } from '../policy/fresh.ts'
import type { Options } from '../policy/options.ts'
import { fill, MAIN, writeFolder } from '../portico-folder.ts'
import { freePort, LOAD_CORE, onCore, type Running, start } from '../processes.ts'
import { atMost, type Measured, median } from '../verdict.ts'
import { writeManifests } from './world.ts'

const APPS = 1000
const STARTS = 3
const root = join(import.meta.dirname, '../..')

interface Place {
  readonly start: () => Promise<Running>
  readonly target: string
  readonly file: string
}

async function makePlace(folder: string): Promise<Place> {
  const port = await freePort()
  const file = writeFolder(folder, { port, managementPort: await freePort() })
  const target = join(folder, 'target.json')
  writeFileSync(target, JSON.stringify(await fill(file, port, 'ES256')))
  const args = [MAIN, 'serve', '--config', file]
  return { file, target, start: () => start({ args, port, log: join(folder, 'log'), folder }) }
}

async function load(few: [Place, Running], many: [Place, Running], quick: boolean): Promise<[Load, Load]> {
  const words = ['--scenario', 'sso', '--seconds', quick ? '4' : '12', '--warmup', quick ? '2' : '5']
  for (const [{ target }, { pid }] of [few, many]) words.push('--target', target, '--pid', String(pid))
  const [command, all] = onCore(LOAD_CORE, [join(root, 'bench/load/load.ts'), ...words])
  const out = await text(spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
  const [small, large] = out.split('\n').filter((line) => line.startsWith('{'))
  if (!small || !large) throw new Error(`the load generator did not finish: ${words.join(' ')}`)
  return [JSON.parse(small), JSON.parse(large)]
}

export async function many({ folder, quick }: Options): Promise<Measured> {
  const [few, full] = [await makePlace(join(folder, 'few')), await makePlace(join(folder, 'many'))]
  const manifests = await writeManifests(join(folder, 'manifests'), APPS)
  await inFresh([MAIN, 'apps', 'apply', manifests, '--config', full.file])
  const starts: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const running = await full.start()
    starts.push(running.milliseconds)
    await running.stop()
  }
  const [one, other] = [await few.start(), await full.start()]
  try {
    const [small, large] = await load([few, one], [full, other], quick)
    if (small.errors + large.errors > 0) throw new Error(small.lastError ?? large.lastError)
    const slower = (1 - large.perCpuSecond / small.perCpuSecond) * 100
    const more = (rssBytes(other.pid) - rssBytes(one.pid)) / 1048576
    return {
      figures: {
        apps: APPS,
        few: small.perCpuSecond,
        many: large.perCpuSecond,
        start: median(starts),
        megabytes: more,
      },
      verdicts: [
        atMost(`silent sign-ons per second of CPU that ${APPS} registered apps cost`, slower, 10, '%', 1),
        atMost('memory that they cost, after the load', more, 50, 'MB', 1),
        atMost('start to ready with them', median(starts), 2000, 'ms'),
      ],
    }
  } finally {
    await one.stop()
    await other.stop()
  }
}
