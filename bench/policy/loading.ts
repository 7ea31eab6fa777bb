/** How long it takes to load thousands of sites. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { atMost, type Measured, median } from '../verdict.ts'
import { script } from './fresh.ts'
import type { Loaded } from './load-once.ts'
import type { Options } from './options.ts'
import { SITES, writeNetworks } from './world.ts'

const LONGEST = 200
const PROCESSES = 5

/** The first load of each of several processes, for a server loads a list of sites once. */
export async function loading({ folder }: Options): Promise<Measured> {
  const sites = join(folder, 'sites')
  mkdirSync(sites, { recursive: true })
  writeNetworks(sites, SITES)
  const all: Loaded[] = []
  for (let n = 0; n < PROCESSES; n++) all.push(await script<Loaded>('load-once.ts', [sites]))
  const [times, cpu] = [all.map((one) => one.milliseconds), all.map((one) => one.cpu)]
  const what = `loading ${SITES} sites, first load of a process, median of ${PROCESSES}`
  const verdict = atMost(what, median(times), LONGEST, 'ms')
  return {
    figures: { sites: SITES, times, cpu },
    verdicts: [{ ...verdict, is: `${verdict.is}, ${median(cpu).toFixed(0)} ms of CPU` }],
  }
}
