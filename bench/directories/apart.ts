/**
 * Whether a directory that is slow or dead is felt by people of another: sign-ins of local people at a steady pace, while
 * people of an LDAP directory sign in as well; in turns with the directory well, slow and silent.
 */
import { join } from 'node:path'
import { startTcpProxy, type TcpProxy } from '../../test/support/tcp-proxy.ts'
import type { Options } from '../policy/options.ts'
import { openRooms } from '../rooms.ts'
import { PASSWORD } from '../subjects.ts'
import type { Measured } from '../verdict.ts'
import { quantile } from './quantile.ts'
import { startLarge, writeSettings } from './world.ts'

const LOCAL = 8
const PACE = 150
/** Of one turn. Short and many: whatever else the machine does meets all three states alike. */
const SIGN_INS = 20
const MOST = 1.2

const STATES = {
  well: (proxy: TcpProxy) => proxy.restore(),
  slow: (proxy: TcpProxy) => {
    proxy.restore()
    proxy.delay(1000)
  },
  dead: (proxy: TcpProxy) => {
    proxy.restore()
    proxy.silence()
  },
} as const
type State = keyof typeof STATES

export async function apart({ folder, quick }: Options): Promise<Measured> {
  const slapd = await startLarge(100)
  const proxy = await startTcpProxy({ to: slapd.port })
  const url = `ldap://127.0.0.1:${proxy.port}`
  const directories = [{ id: 'local', kind: 'local' }, slapd.settings({ url, insecure_plain_text: true })]
  const house = await openRooms(writeSettings(join(folder, 'apart'), directories))
  const took: Record<State, number[]> = { well: [], slow: [], dead: [] }
  try {
    for (let i = 0; i < LOCAL; i++)
      await house.people.add({ username: `local${i}`, name: `Local ${i}`, password: PASSWORD }, 'bench')
    const random = numbers()
    const turns = quick ? 3 : 12
    for (let turn = 0; turn < turns; turn++)
      for (const state of Object.keys(STATES) as State[]) {
        STATES[state](proxy)
        took[state].push(...(await turnOf(house.people, random)))
      }
    STATES.well(proxy)
  } finally {
    await house.close()
    await proxy.close()
    await slapd.end()
  }
  const p99 = Object.fromEntries(Object.entries(took).map(([state, all]) => [state, quantile(all, 0.99)]))
  return {
    figures: { p99, signIns: took.well.length },
    verdicts: (['slow', 'dead'] as const).map((state) => {
      const ratio = p99[state]! / p99['well']!
      return {
        what: `p99 of a local sign-in while another directory is ${state}`,
        is: `${ratio.toFixed(2)} × (${p99[state]!.toFixed(0)} of ${p99['well']!.toFixed(0)} ms)`,
        wanted: `≤ ${MOST} ×`,
        met: ratio <= MOST,
      }
    }),
  }
}

/** The same for every run, from 0 to 1. */
function numbers(): () => number {
  let last = 1
  return () => {
    last = (last * 48_271) % 2_147_483_647
    return last / 2_147_483_647
  }
}

/**
 * Three seconds of local sign-ins at an even pace, and for each one of the directory's people at some moment between. With
 * an even pace for both, the hash of the one would meet the hash of the other in one state always and in another never:
 * what was measured then was by how many milliseconds the answer of the directory was late.
 */
async function turnOf(
  people: Awaited<ReturnType<typeof openRooms>>['people'],
  random: () => number,
): Promise<number[]> {
  const took: number[] = []
  const running: Promise<unknown>[] = []
  for (let i = 0; i < SIGN_INS; i++) {
    const began = performance.now()
    running.push(
      people.verifyPassword(`local${i % LOCAL}`, PASSWORD).then((person) => {
        if (person === 'wrong') throw new Error('a local person did not come in')
        took.push(performance.now() - began)
      }),
    )
    const between = random() * PACE
    await new Promise((resolve) => setTimeout(resolve, between))
    running.push(people.verifyPassword(`user${i % 16}`, PASSWORD).catch(() => {}))
    await new Promise((resolve) => setTimeout(resolve, PACE - between))
  }
  await Promise.all(running)
  return took
}
