/**
 * Silent sign-ons at an even pace, first alone and then beside a crowd with passwords: as soon as
 * one of them is in, they sign in anew, so that hundreds wait for a hash all the time. A process of
 * its own, on the core of the load generator:
 *
 *     node bench/queue/crowd.ts --target FILE --pid PID --management PORT --seconds 10 --people 400
 *
 * Prints one line of JSON.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openFlows, type Target } from '../load/flows.ts'
import { type Paced, paced } from '../load/paced.ts'
import { cpuSeconds, percentile } from '../load/processes.ts'
import { PEOPLE } from '../subjects.ts'

/** Silent sign-ons a second: a seventh of what a core can bear. */
const RATE = 100
/** Who was turned away comes again after what the answer says. */
const RETRY_AFTER = 2000
const LOOK = 250
/** So often does the server look at the clock for it, which counts as late as it is after that. */
const TICK = 10

export interface Times {
  readonly p50: number
  readonly p99: number
  readonly longest: number
  readonly errors: number
  readonly lastError?: string
  /** How late the server's event loop was meanwhile, as it measures that itself. */
  readonly loop: { readonly p99: number; readonly longest: number }
}

export interface QueueMeasured {
  readonly unloaded: Times
  readonly beside: Times
  /** Sign-ins with a password meanwhile, and those that were turned away. */
  readonly signIns: number
  readonly turnedAway: number
  readonly otherErrors: readonly string[]
  /** How many waited for a hash, each quarter of a second. */
  readonly waiting: { readonly least: number; readonly most: number }
  /** Of one core. */
  readonly busyPercent: number
}

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    pid: { type: 'string' },
    management: { type: 'string' },
    seconds: { type: 'string' },
    people: { type: 'string' },
  },
})
const [seconds, crowd, pid] = [Number(values.seconds), Number(values.people), Number(values.pid)]
const flows = await openFlows(JSON.parse(readFileSync(values.target!, 'utf8')) as Target)

let worst: Times['loop'] = { p99: 0, longest: 0 }
const steps: (() => Promise<unknown>)[] = []
for (let number = 0; number < PEOPLE; number++) {
  const { browser } = await flows.signIn(flows.connect(), number, flows.target.web)
  steps.push(() => flows.silent(browser, flows.target.web))
}
// a server on its second day has compiled what it needs
await paced(steps, 2 * RATE, seconds / 2)
await loopDelays()
const unloaded = timesOf(await paced(steps, RATE, seconds), await loopDelays())

let [on, signIns, turnedAway] = [true, 0, 0]
const otherErrors = new Set<string>()
async function person(number: number): Promise<void> {
  const connection = flows.connect()
  while (on) {
    try {
      await flows.signIn(connection, PEOPLE + number, flows.target.web)
      signIns++
    } catch (error) {
      const { message } = error as Error
      if (message.includes('(503)')) turnedAway++
      else if (on) otherErrors.add(message.slice(0, 200))
      await after(RETRY_AFTER)
    }
  }
}

async function metrics(): Promise<string> {
  return (await fetch(`http://127.0.0.1:${values.management}/metrics`)).text()
}

async function waitingNow(): Promise<number> {
  const text = await metrics()
  noteDelays(text)
  return Number(/portico_password_queue\{state="waiting"\} (\d+)/.exec(text)?.[1])
}

/** Each answer tells what was measured since the one before: the worst of them all is kept. */
function noteDelays(text: string): void {
  const late = (name: string) =>
    Number(new RegExp(`^portico_nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1]) * 1000 - TICK
  worst = { p99: Math.max(worst.p99, late('p99')), longest: Math.max(worst.longest, late('max')) }
}

/** Since they were asked for the last time. */
async function loopDelays(): Promise<Times['loop']> {
  noteDelays(await metrics())
  const found = worst
  worst = { p99: 0, longest: 0 }
  return found
}

// they come within a few seconds, as they would; then the queue is as long as it gets
for (let number = 0; number < crowd; number++) {
  void person(number)
  if (number % 20 === 0) await after(100)
}
for (let looks = 0; (await waitingNow()) < crowd / 2 && looks < 80; looks++) await after(LOOK)

const lengths: number[] = []
let watching = true
const watched = (async () => {
  for (; watching; await after(LOOK)) lengths.push(await waitingNow())
})()
await loopDelays()
const [began, cpu, before, away] = [performance.now(), cpuSeconds(pid), signIns, turnedAway]
const timed = await paced(steps, RATE, seconds)
const took = (performance.now() - began) / 1000
watching = false
on = false
await watched
const beside = timesOf(timed, await loopDelays())
const measured: QueueMeasured = {
  ...{ unloaded, beside, signIns: signIns - before, turnedAway: turnedAway - away, otherErrors: [...otherErrors] },
  waiting: { least: Math.min(...lengths), most: Math.max(...lengths) },
  busyPercent: (100 * (cpuSeconds(pid) - cpu)) / took,
}
console.log(JSON.stringify(measured))
process.exit(0)

function timesOf({ times, errors, lastError }: Paced, loop: Times['loop']): Times {
  const all = times.toSorted((a, b) => a - b)
  const [p50, p99] = [percentile(all, 0.5), percentile(all, 0.99)]
  return { p50, p99, longest: all.at(-1) ?? 0, errors, loop, ...(lastError === undefined ? {} : { lastError }) }
}
