/**
 * The beginning of a shift, as large as one core can bear: `npm run bench -- --scenarios storm [--quick]`. 50,000 people come within
 * fifteen minutes; here comes the same share of them in each second, for a shorter while. Says what the whole would take.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Options } from '../policy/options.ts'
import { LOAD_CORE, onCore } from '../processes.ts'
import { table } from '../table.ts'
import { LONGEST_IN_A_STORM } from '../targets.ts'
import { atMost, type Found, type Verdict } from '../verdict.ts'
import type { Storm, Times } from './crowd.ts'

const WHOLE = { people: 50_000, seconds: 15 * 60 }
/** Of the whole, in each second: what one core can bear beside the load generator on another. */
const SHARE = 0.25
/** The most that comes at once, beside the mean. */
const PEAK = 1.5
/** A core that is busier than this makes people wait. */
const BUSY = 0.6

export async function stormFound({ folder, quick, say }: Options): Promise<Found> {
  const seconds = quick ? 8 : 120
  const people = Math.round((WHOLE.people / WHOLE.seconds) * SHARE * seconds)
  say(`${people} people begin their shift within ${seconds} s`)
  const storm = await crowd(['--folder', folder, '--people', String(people), '--seconds', String(seconds)])
  return { told: storm, verdicts: verdicts(storm), lines: lines(storm) }
}

function crowd(args: readonly string[]): Promise<Storm> {
  const [command, all] = onCore(LOAD_CORE, [join(import.meta.dirname, 'crowd.ts'), ...args])
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (text) => (said += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve(JSON.parse(said)) : reject(new Error(`the crowd ended with ${code}`)),
    )
  })
}

const verdicts = ({ failed, errors, silent }: Storm): Verdict[] => [
  { what: 'errors', is: failed === 0 ? '0' : `${failed}: ${errors.join('; ')}`, wanted: '0', met: failed === 0 },
  atMost('silent sign-on while the shift begins, p99', silent.p99, LONGEST_IN_A_STORM, 'ms', 0),
]

function lines(storm: Storm): string[] {
  const { people, seconds, cpuOf, cpuPerPerson, busyPercent, rssMb } = storm
  const row = (what: string, { count, p50, p99, longest }: Times, cpu: number) => [
    what,
    String(count),
    p50.toFixed(0),
    p99.toFixed(0),
    longest.toFixed(0),
    cpu.toFixed(1),
  ]
  const atPeak = (WHOLE.people / WHOLE.seconds) * PEAK
  const cores = (atPeak * cpuPerPerson) / 1000 / BUSY
  return [
    ...table(
      ['flow', 'count', 'p50 ms', 'p99 ms', 'longest ms', 'CPU ms alone'],
      [
        row('sign-in with a passkey', storm.passkey, cpuOf.passkey),
        row('sign-in with a password', storm.password, cpuOf.password),
        row('silent sign-on', storm.silent, cpuOf.silent),
      ],
    ),
    '',
    `${people} people in ${seconds} s: the server was busy for ${busyPercent.toFixed(0)} % of a core, ${rssMb.toFixed(0)} MB`,
    `a person costs ${cpuPerPerson.toFixed(0)} ms of CPU; ${WHOLE.people} within ${WHOLE.seconds / 60} minutes, ${atPeak.toFixed(0)} a second at the peak, want ${cores.toFixed(1)} such cores (each ${BUSY * 100} % busy)`,
  ]
}
