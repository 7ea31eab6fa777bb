/**
 * A SAML sign-on with a living session: the whole of `portico serve` under load, and beside it what its key alone would take, two
 * signatures of RSA-2048, measured in the same minute. `npm run bench -- --scenarios saml`, or `node bench/saml.ts [--quick] [--json]`.
 */
import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { Measured as Load } from './load/load.ts'
import type { Options } from './policy/options.ts'
import { fill, MAIN, writeFolder } from './portico-folder.ts'
import { freePort, LOAD_CORE, onCore, start } from './processes.ts'
import { targets } from './table.ts'
import { AT_LEAST } from './targets.ts'
import type { Found } from './verdict.ts'

const root = join(import.meta.dirname, '..')
const SIGNATURES = 2

/** Pairs of signatures for each second of CPU. */
function bareKey(seconds: number): number {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const data = randomBytes(512)
  const began = process.cpuUsage()
  const until = performance.now() + seconds * 1000
  let count = 0
  for (; performance.now() < until; count++) sign('sha256', data, privateKey)
  const { user, system } = process.cpuUsage(began)
  return (count / SIGNATURES / (user + system)) * 1e6
}

export async function saml({ folder, quick, say }: Options): Promise<Found> {
  const port = await freePort()
  const file = writeFolder(join(folder, 'portico'), { port, managementPort: await freePort() })
  const target = join(folder, 'target.json')
  writeFileSync(target, JSON.stringify(await fill(file, port, 'ES256')))
  const args = [MAIN, 'serve', '--config', file]
  const running = await start({ args, port, log: join(folder, 'log'), folder })
  try {
    const seconds = ['--seconds', quick ? '2' : '12', '--warmup', quick ? '2' : '6']
    const about = ['--scenario', 'saml', '--target', target, '--pid', String(running.pid)]
    const [command, all] = onCore(LOAD_CORE, [join(root, 'bench/load/load.ts'), ...about, ...seconds])
    const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
    const load = JSON.parse(await text(child.stdout)) as Load
    if (load.errors > 0) throw new Error(load.lastError)
    say('two signatures by the bare key')
    const bare = bareKey(quick ? 1 : 4)
    const wanted = AT_LEAST['saml']!
    const verdict = {
      what: 'SAML sign-ons with a living session, per second of CPU',
      wanted: `≥ ${wanted}`,
      is: `${load.perCpuSecond} (${Math.round((100 * load.perCpuSecond) / bare)} % of ${Math.round(bare)} by the bare key)`,
      met: load.perCpuSecond >= wanted,
    }
    return { told: { load, bareKey: bare }, verdicts: [verdict] }
  } finally {
    await running.stop()
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
  })
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const found = await saml({ folder, quick: values.quick, say: (line) => console.error(`… ${line}`) })
    console.log(values.json ? JSON.stringify(found) : targets(found.verdicts).join('\n'))
    process.exitCode = found.verdicts.every(({ met }) => met) ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
