/**
 * The first load of a policy folder in this process, as a server does it at its start, once everything is imported. Prints
 * how long it took; with `--expose-gc` also what is left in memory when the garbage is gone.
 *
 *     node --expose-gc bench/policy/load-once.ts FOLDER
 */
import { openLivePolicies } from '#access'
import { silentLog } from '#core/log'

export interface Loaded {
  readonly milliseconds: number
  /** Milliseconds of CPU meanwhile, all threads: what is left of the figure where the machine does other things. */
  readonly cpu: number
  /** Megabytes of V8's own heap, and of the whole process. */
  readonly heap: number
  readonly rss: number
  readonly rules: number
}

const MB = 1048576
const [began, used] = [performance.now(), process.cpuUsage()]
const live = await openLivePolicies({ folder: process.argv[2]!, log: silentLog })
const milliseconds = performance.now() - began
const { user, system } = process.cpuUsage(used)
const cpu = (user + system) / 1000
for (let times = 0; times < 5; times++) {
  await globalThis.gc?.({ type: 'major', execution: 'async', flavor: 'last-resort' })
  await new Promise((resolve) => setTimeout(resolve, 50))
}
const { heapUsed, external, rss } = process.memoryUsage()
const rules = live.current().list.reduce((sum, policy) => sum + policy.rules.length, 0)
const loaded: Loaded = { milliseconds, cpu, heap: (heapUsed + external) / MB, rss: rss / MB, rules }
console.log(JSON.stringify(loaded))
