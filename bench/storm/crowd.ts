/**
 * Everybody begins within the same quarter of an hour. A process of its own, on the core of the load generator:
 *
 *     node bench/storm/crowd.ts --folder FOLDER --people 1000 --seconds 60
 *
 * People come whether or not the server keeps up (open loop); each does one thing after the other. Prints one line of JSON.
 */
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openFlows } from '../load/flows.ts'
import { cpuSeconds, percentile, rssBytes } from '../load/processes.ts'
import { FLAGS, MAIN } from '../portico-folder.ts'
import { freePort, start } from '../processes.ts'
import { targetOf } from '../subjects.ts'
import { openShift } from './employee.ts'
import { createWorld } from './world.ts'

/** Silent sign-ons of each. */
export const APPS = 10
/** Signing in once more, one after the other, with nothing else going on. */
const ALONE = 40
/** Most that somebody waits before opening the next app, in seconds; less where the whole is short: it would end long after. */
const LONGEST_PAUSE = { usual: 4, short: 1 }
const SHORT = 30

export interface Times {
  readonly count: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly longest: number
}

export interface Storm {
  readonly people: number
  readonly seconds: number
  readonly errors: readonly string[]
  readonly failed: number
  readonly silent: Times
  readonly passkey: Times
  readonly password: Times
  /** Milliseconds of CPU of the server, all its threads. */
  readonly cpuPerPerson: number
  readonly cpuOf: { readonly silent: number; readonly passkey: number; readonly password: number }
  /** Of one core. */
  readonly busyPercent: number
  readonly rssMb: number
}

type Kind = 'silent' | 'passkey' | 'password'

const { values } = parseArgs({
  options: { folder: { type: 'string' }, people: { type: 'string' }, seconds: { type: 'string' } },
})
const [count, seconds] = [Number(values.people), Number(values.seconds)]
const pause = seconds < SHORT ? LONGEST_PAUSE.short : LONGEST_PAUSE.usual
const [port, managementPort] = [await freePort(), await freePort()]
const place = join(values.folder!, 'storm')
const { file, issuer, secret, people } = await createWorld(place, { port, managementPort }, count)
const running = await start({
  args: [...FLAGS, MAIN, 'serve', '--config', file],
  port,
  log: join(place, 'log'),
  folder: place,
})
try {
  const flows = await openFlows({ ...targetOf('portico', port, () => secret), issuer })
  const times: Record<Kind, number[]> = { silent: [], passkey: [], password: [] }
  const errors: string[] = []

  async function timed(kind: Kind, step: () => Promise<void>): Promise<boolean> {
    const began = performance.now()
    try {
      await step()
      times[kind].push(performance.now() - began)
      return true
    } catch (error) {
      errors.push(`${kind}: ${(error as Error).message}`.slice(0, 200))
      return false
    }
  }

  const kindOf = ({ authenticator }: { authenticator: unknown }): Kind => (authenticator ? 'passkey' : 'password')

  async function shift(employee: (typeof people)[number], at: number): Promise<void> {
    await after(at * 1000)
    const day = openShift(flows, employee)
    if (await timed(kindOf(employee), day.signIn))
      for (let app = 0; app < APPS; app++) {
        await after(Math.random() * pause * 1000)
        await timed('silent', day.openApp)
      }
    day.leave()
  }

  // a server on its second day has compiled what it needs
  for (const one of people.slice(0, 20)) {
    const day = openShift(flows, one)
    await day.signIn()
    for (let app = 0; app < 20; app++) await day.openApp()
    day.leave()
  }
  const [began, cpu] = [performance.now(), cpuSeconds(running.pid)]
  await Promise.all(people.map((one, n) => shift(one, arrival((n + 0.5) / count) * seconds)))
  const took = (performance.now() - began) / 1000
  const used = cpuSeconds(running.pid) - cpu
  const measured = { busyPercent: (100 * used) / took, rssMb: rssBytes(running.pid) / 1048576 }

  /** Milliseconds of CPU for one, with nothing else going on. */
  async function alone(steps: readonly (() => Promise<unknown>)[]): Promise<number> {
    const before = cpuSeconds(running.pid)
    for (const step of steps) await step()
    return (1000 * (cpuSeconds(running.pid) - before)) / steps.length
  }
  const some = (kind: Kind) => people.filter((one) => kindOf(one) === kind).slice(0, ALONE)
  const signIns = (kind: Kind) => some(kind).map((one) => () => openShift(flows, one).signIn())
  const day = openShift(flows, people[0]!)
  await day.signIn()
  const cpuOf = {
    silent: await alone(Array.from({ length: 10 * ALONE }, () => day.openApp)),
    passkey: await alone(signIns('passkey')),
    password: await alone(signIns('password')),
  }
  const storm: Storm = {
    people: count,
    seconds,
    errors: [...new Set(errors)].slice(0, 5),
    failed: errors.length,
    silent: summary(times.silent),
    passkey: summary(times.passkey),
    password: summary(times.password),
    cpuPerPerson: (1000 * used) / count,
    cpuOf,
    ...measured,
  }
  console.log(JSON.stringify(storm))
} finally {
  await running.stop()
}
process.exit(0)

/**
 * When, as a share of the whole time, somebody comes who has the given share of the people before them. In the middle half as many
 * again come as on average, at both ends half as many: the density is 1 - cos(2πt)/2. Its sum has no inverse in a formula.
 */
function arrival(share: number): number {
  let [low, high] = [0, 1]
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2
    if (middle - Math.sin(2 * Math.PI * middle) / (4 * Math.PI) < share) low = middle
    else high = middle
  }
  return low
}

function summary(all: number[]): Times {
  all.sort((a, b) => a - b)
  return { count: all.length, p50: percentile(all, 0.5), p99: percentile(all, 0.99), longest: all.at(-1) ?? 0 }
}
