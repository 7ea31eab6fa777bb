/** `apps apply` of a whole folder, first on nothing and then again, and `apps search`: each command from its start to its end. */
import { join } from 'node:path'
import { inFresh } from '../policy/fresh.ts'
import type { Options } from '../policy/options.ts'
import { MAIN, writeFolder } from '../portico-folder.ts'
import { freePort } from '../processes.ts'
import { type Measured, median, type Verdict } from '../verdict.ts'
import { writeManifests } from './world.ts'

const APPS = 220
const REPEATS = 5

/** Wall time and CPU, in seconds. */
async function timed(...words: string[]): Promise<{ seconds: number; cpu: number; out: string }> {
  const flags = ['--import', join(import.meta.dirname, '../policy/cpu-at-exit.mjs')]
  const began = performance.now()
  const { out, err } = await inFresh([MAIN, ...words], { flags })
  return { seconds: (performance.now() - began) / 1000, cpu: Number(/^cpu ([\d.]+)$/m.exec(err)?.[1]), out }
}

const row = (what: string, { seconds, cpu }: { seconds: number; cpu: number }, most: number): Verdict => ({
  what,
  is: `${seconds.toFixed(2)} s, ${cpu.toFixed(2)} s of CPU`,
  wanted: `≤ ${most} s`,
  met: seconds <= most,
})

export async function applying({ folder, quick }: Options): Promise<Measured> {
  const place = join(folder, 'apply')
  const file = writeFolder(place, { port: await freePort(), managementPort: await freePort() })
  const manifests = await writeManifests(join(place, 'apps'), APPS)
  const first = await timed('apps', 'apply', manifests, '--config', file)
  if (!first.out.includes(`applied: ${APPS} created`)) throw new Error(first.out.slice(-2000))
  const again = []
  for (let i = 0; i < (quick ? 1 : REPEATS); i++) again.push(await timed('apps', 'apply', manifests, '--config', file))
  if (!again.every(({ out }) => out.includes(`${APPS} unchanged`))) throw new Error(again[0]!.out.slice(-2000))
  const second = again.toSorted((a, b) => a.seconds - b.seconds)[Math.floor(again.length / 2)]!
  return {
    figures: { apps: APPS, first: first.seconds, second: second.seconds },
    verdicts: [
      row(`apps apply of ${APPS} apps on an empty store, the whole command`, first, 10),
      row('the same again, where nothing changes', second, 2),
    ],
  }
}

export async function searching({ folder, quick }: Options): Promise<Measured> {
  const place = join(folder, 'search')
  const file = writeFolder(place, { port: await freePort(), managementPort: await freePort() })
  // once unmeasured: an installation that has never run has compiled nothing
  await timed('apps', 'search', 'grafana', '--config', file)
  const runs = []
  for (let i = 0; i < (quick ? 3 : 2 * REPEATS + 1); i++)
    runs.push(await timed('apps', 'search', 'grafana', '--config', file))
  const seconds = median(runs.map((run) => run.seconds))
  const cpu = median(runs.map((run) => run.cpu))
  return {
    figures: { seconds, cpu },
    verdicts: [row('apps search grafana, the whole command, median', { seconds, cpu }, 0.2)],
  }
}
