/** What many rules and sites add to the memory of a process. */
import { join } from 'node:path'
import { atMost, type Measured, median } from '../verdict.ts'
import { script } from './fresh.ts'
import type { Loaded } from './load-once.ts'
import type { Options } from './options.ts'
import { FIFTY, RULES, SHIPPED, SITES, writeWorld } from './world.ts'

const MOST = 60
const PROCESSES = 3

/** The same process with the shipped policies, and with the large ones: what it holds after its first load. */
export async function memory({ folder }: Options): Promise<Measured> {
  const large = join(folder, 'memory')
  writeWorld(large, { names: FIFTY, rules: RULES, sites: SITES })
  const inFolder = async (policies: string): Promise<Loaded> => {
    const all: Loaded[] = []
    for (let n = 0; n < PROCESSES; n++)
      all.push(await script<Loaded>('load-once.ts', [policies], { flags: ['--expose-gc'] }))
    const middle = (key: keyof Loaded) => [key, median(all.map((one) => one[key]))]
    return Object.fromEntries((Object.keys(all[0]!) as (keyof Loaded)[]).map(middle)) as unknown as Loaded
  }
  const [shipped, much] = [await inFolder(SHIPPED), await inFolder(large)]
  const added = (what: string, key: 'heap' | 'rss') =>
    atMost(`${much.rules} rules, ${SITES} sites add to ${what}`, much[key] - shipped[key], MOST, 'MB', 1)
  return {
    figures: { shipped, large: much },
    verdicts: [added('the heap', 'heap'), added('the resident memory', 'rss')],
  }
}
