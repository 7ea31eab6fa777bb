/** A crowd that a dead directory lets go all at once is not felt by people of another. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Slapd, startSlapd } from '../support/slapd.ts'
import { EMBEDDED } from '../support/storage.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { LOCAL, openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
const CROWD = 30

let slapd: Slapd
beforeAll(async () => {
  slapd = await startSlapd([{ uid: 'sam', name: 'Sam', password: PASSWORD }])
})
afterAll(() => slapd.end())

const KNOWN = { known: true, enrolled: false }
const DEGRADED = { verified_within: '24h', devices: ['known'], tiers: ['standard'], for: '4h' } as const

test.each([
  ['somebody whose password is not kept', 'sam', undefined],
  ['names that nobody has', 'nobody', undefined],
  ['somebody whose password is kept for such times', 'sam', KNOWN],
])('local people wait for a few hashes while thirty of a dead directory wait: %s', async (_, name, device) => {
  const way = await startTcpProxy({ to: slapd.port })
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '1s' }
  const degraded = device && { degraded: { ...DEGRADED, devices: [...DEGRADED.devices], tiers: [...DEGRADED.tiers] } }
  const directories = [LOCAL, slapd.settings({ ...plain, ...degraded })]
  // counted in hashes: what somebody waits for a database on a server meanwhile is nobody's crowd
  const { people, hashing } = await openHouse(directories, { url: EMBEDDED })
  try {
    await people.add({ username: 'kim', name: 'Kim', password: PASSWORD }, 'test')
    await people.verifyPassword('sam', PASSWORD)
    way.cut()
    const earlier = hashing.load().done
    const attempt = (who: string) => people.verifyPassword(who, PASSWORD, device)
    const crowd = Array.from({ length: CROWD }, (_, i) =>
      device ? attempt(name) : refusalOf(attempt(name === 'sam' ? name : `${name}${i}`)),
    )
    // on a slow machine the first of them have had their turn before the last have come
    const come = () => hashing.load().waiting + hashing.load().done - earlier
    while (come() < CROWD - hashing.places - 1) await new Promise(setImmediate)
    const before = hashing.load().done
    expect(await attempt('kim')).toMatchObject({ username: 'kim' })
    // those that ran already, one of the crowd whose turn it was, and as many as end together with Kim's
    expect(hashing.load().done - before).toBeLessThanOrEqual(2 * hashing.places + 2)
    for (const answer of await Promise.all(crowd))
      expect(answer).toEqual(device ? { remembered: expect.anything() } : 'directory-unavailable')
  } finally {
    people.close()
    await way.close()
  }
})
