/**
 * Which share of a silent sign-on's CPU the policy layer has (facts, decision, receipt), and that the database of places stays out of
 * it. The flow is measured at the server, as for the table of flows; the layer by `asking.ts`.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fill, writeFolder } from '../portico-folder.ts'
import { throughput } from '../throughput.ts'
import type { Measured } from '../verdict.ts'
import type { Asking } from './asking.ts'
import { script } from './fresh.ts'
import type { Options } from './options.ts'

const MOST = 0.15
const PORT = 3000

export async function share({ folder, quick, silentSignOns, say }: Options): Promise<Measured> {
  const perCpuSecond = silentSignOns ?? (await measureFlow(join(folder, 'flow'), quick, say))
  const place = join(folder, 'asking')
  const file = writeFolder(place, { port: PORT, managementPort: PORT + 1 })
  await fill(file, PORT, 'ES256')
  const { microseconds, geo } = await script<Asking>('asking.ts', [file])
  const flow = 1e6 / perCpuSecond
  const part = microseconds / flow
  if (!geo.after) throw new Error('cannot see whether the database of places is loaded')
  return {
    figures: { layer: microseconds, flow, geo },
    verdicts: [
      {
        what: 'share of the policy layer in the CPU of a silent sign-on',
        is: `${(part * 100).toFixed(1)} %: ${microseconds.toFixed(0)} of ${flow.toFixed(0)} µs`,
        wanted: `≤ ${MOST * 100} %`,
        met: part <= MOST,
      },
      {
        what: 'database of places in memory under the shipped policies, which ask for none',
        is: geo.before ? 'loaded' : `not loaded; the first question for a place brings ${geo.megabytes.toFixed(0)} MB`,
        wanted: 'not loaded',
        met: !geo.before,
      },
    ],
  }
}

async function measureFlow(folder: string, quick: boolean, say: Options['say']): Promise<number> {
  mkdirSync(folder, { recursive: true })
  const [warmup, seconds] = quick ? [1, 4] : [3, 12]
  const [sso] = await throughput({ folder, scenarios: ['sso'], alg: 'ES256', quick, warmup, seconds, say })
  return sso!.portico.perCpuSecond
}
