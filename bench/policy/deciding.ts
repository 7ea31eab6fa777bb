/** What one decision costs among many rules, and how many two cores make. */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { decide, loadPolicies, type Policies } from '#policy'
import { atMost, type Measured } from '../verdict.ts'
import type { Options } from './options.ts'
import { questions, RULES, SITES, writeWorld } from './world.ts'

const QUESTIONS = 5000
const WARM_UP = 30_000
const SAMPLES = 60_000
/** Microseconds of one decision. */
const MEDIAN = 20
const P99 = 100
const FEWEST_A_SECOND = 500_000

export function policiesIn(folder: string): Policies {
  const { policies, problems } = loadPolicies(folder)
  if (!policies) throw new Error(JSON.stringify(problems.slice(0, 3)))
  return policies
}

/** Each call is measured by itself, with its trace; the threads decide as replay does. */
export async function deciding({ folder, quick }: Options): Promise<Measured> {
  const large = join(folder, 'large')
  writeWorld(large, { names: ['large'], rules: RULES, sites: SITES })
  const policies = policiesIn(large)
  const asked = questions(QUESTIONS, 'large', SITES)
  let walked = 0
  for (let n = 0; n < WARM_UP; n++) walked += decide(policies, asked[n % QUESTIONS]!).trace.length
  const times = new Float64Array(SAMPLES)
  for (let n = 0; n < SAMPLES; n++) {
    const facts = asked[n % QUESTIONS]!
    const began = performance.now()
    decide(policies, facts)
    times[n] = (performance.now() - began) * 1000
  }
  times.sort()
  const [median, p99] = [times[SAMPLES / 2]!, times[Math.floor(SAMPLES * 0.99)]!]
  const seconds = quick ? 1 : 3
  const [first, second] = await Promise.all([inThread(seconds), inThread(seconds)])
  const perSecond = first + second
  const among = `one decision among ${RULES} rules, ${SITES} sites`
  return {
    figures: { rules: RULES, sites: SITES, walked: walked / WARM_UP, median, p99, perSecond },
    verdicts: [
      atMost(`${among}: median`, median, MEDIAN, 'µs', 1),
      atMost(`${among}: p99`, p99, P99, 'µs', 1),
      {
        what: 'decisions a second of two threads, as replay makes them, by the shipped policies',
        is: `${(perSecond / 1e6).toFixed(2)} million`,
        wanted: `≥ ${FEWEST_A_SECOND / 1e6} million`,
        met: perSecond >= FEWEST_A_SECOND,
      },
    ],
  }
}

const inThread = (seconds: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'thread.ts'), { workerData: seconds })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
