/**
 * People with passkeys sign in, one after the other, as fast as they can; and after them those with passwords. A process of its own, on
 * the core of the load generator:
 *
 *     node bench/storm/signing-in.ts --folder FOLDER --seconds 10
 *
 * Prints one line of JSON.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openFlows } from '../load/flows.ts'
import { cpuSeconds, percentile, rssBytes } from '../load/processes.ts'
import { FLAGS, MAIN } from '../portico-folder.ts'
import { freePort, start } from '../processes.ts'
import { targetOf } from '../subjects.ts'
import { openShift } from './employee.ts'
import { createWorld, type Employee } from './world.ts'

/** Seven of ten have passkeys. */
const PEOPLE = 20
const WARM_UP = 60

export interface SignIns {
  readonly count: number
  readonly perSecond: number
  readonly perCpuSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly rssMb: number
}

const { values } = parseArgs({ options: { folder: { type: 'string' }, seconds: { type: 'string' } } })
const seconds = Number(values.seconds)
const [port, managementPort] = [await freePort(), await freePort()]
const place = join(values.folder!, 'signing-in')
const { file, issuer, secret, people } = await createWorld(place, { port, managementPort }, PEOPLE)
const args = [...FLAGS, MAIN, 'serve', '--config', file]
const running = await start({ args, port, log: join(place, 'log'), folder: place })
try {
  const flows = await openFlows({ ...targetOf('portico', port, () => secret), issuer })
  async function signIn(employee: Employee): Promise<number> {
    const began = performance.now()
    const day = openShift(flows, employee)
    await day.signIn()
    day.leave()
    return performance.now() - began
  }

  async function measure(some: readonly Employee[]): Promise<SignIns> {
    // in the interpreter no server is on its second day
    for (let times = 0; times < WARM_UP; times++) await signIn(some[times % some.length]!)
    const all: number[] = []
    const [began, cpu] = [performance.now(), cpuSeconds(running.pid)]
    const until = began + seconds * 1000
    const loop = async (one: Employee) => {
      while (performance.now() < until) all.push(await signIn(one))
    }
    await Promise.all(some.map(loop))
    const [took, used] = [(performance.now() - began) / 1000, cpuSeconds(running.pid) - cpu]
    all.sort((a, b) => a - b)
    return {
      ...{ count: all.length, perSecond: all.length / took, perCpuSecond: all.length / used },
      ...{ p50: percentile(all, 0.5), p99: percentile(all, 0.99), rssMb: rssBytes(running.pid) / 1048576 },
    }
  }
  const passkey = await measure(people.filter(({ authenticator }) => authenticator))
  const password = await measure(people.filter(({ authenticator }) => !authenticator))
  console.log(JSON.stringify({ passkey, password }))
} finally {
  await running.stop()
}
process.exit(0)
