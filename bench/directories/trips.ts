/**
 * How often a sign-in waits for the directory: each piece that the server says is held back for a while, and the sign-in
 * becomes longer by that for each time that it waits. What is asked at the same time is waited for once.
 */
import { join } from 'node:path'
import { startTcpProxy } from '../../test/support/tcp-proxy.ts'
import type { Options } from '../policy/options.ts'
import { openRooms } from '../rooms.ts'
import { PASSWORD } from '../subjects.ts'
import { atMost, type Measured, median } from '../verdict.ts'
import { startLarge, writeSettings } from './world.ts'

/** One way, in both directions. */
const DELAY = 100
const TIMES = 7

export async function trips({ folder }: Options): Promise<Measured> {
  const slapd = await startLarge(100)
  const proxy = await startTcpProxy({ to: slapd.port })
  const url = `ldap://127.0.0.1:${proxy.port}`
  const file = writeSettings(join(folder, 'trips'), [slapd.settings({ url, insecure_plain_text: true })])
  const house = await openRooms(file)
  try {
    const signIn = async () => {
      const began = performance.now()
      if ((await house.people.verifyPassword('user1', PASSWORD)) === 'wrong') throw new Error('nobody came in')
      return performance.now() - began
    }
    const some = async () => {
      const all: number[] = []
      for (let i = 0; i < TIMES; i++) all.push(await signIn())
      return median(all)
    }
    await signIn()
    const near = await some()
    proxy.delay(DELAY)
    const far = await some()
    const waits = (far - near) / (2 * DELAY)
    return {
      figures: { near, far, waits },
      verdicts: [atMost('a sign-in waits for its LDAP directory', Math.round(waits), 2, 'times')],
    }
  } finally {
    await house.close()
    await proxy.close()
    await slapd.end()
  }
}
