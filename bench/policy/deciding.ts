/** What one decision costs among many rules, and how many two cores make. */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { decide, loadPolicies, type Policies } from '#policy'
import { questions, writeWorld } from './world.ts'

const RULES = 200
const SITES = 7000
const QUESTIONS = 5000
const WARM_UP = 30_000
const SAMPLES = 60_000

export interface Deciding {
  readonly rules: number
  readonly sites: number
  /** Microseconds of one decision with its trace, each call measured by itself. */
  readonly median: number
  readonly p99: number
  /** How many rules were looked at, on average. */
  readonly walked: number
  /** Decisions a second of two threads together. */
  readonly perSecond: number
}

export function policiesIn(folder: string): Policies {
  const { policies, problems } = loadPolicies(folder)
  if (!policies) throw new Error(JSON.stringify(problems.slice(0, 3)))
  return policies
}

export async function deciding(folder: string, seconds: number): Promise<Deciding> {
  const large = join(folder, 'large')
  writeWorld(large, { rules: RULES, sites: SITES })
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
  const [first, second] = await Promise.all([inThread(seconds), inThread(seconds)])
  return {
    rules: RULES,
    sites: SITES,
    median: times[Math.floor(SAMPLES / 2)]!,
    p99: times[Math.floor(SAMPLES * 0.99)]!,
    walked: walked / WARM_UP,
    perSecond: first + second,
  }
}

const inThread = (seconds: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'thread.ts'), { workerData: seconds })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
