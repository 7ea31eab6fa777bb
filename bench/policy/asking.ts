/**
 * What the policy layer does in a silent sign-on, again and again, in a process of its own: `access.ask` of people with a
 * session about an app, on the database, the policies and the number of people at once of the flow. Prints the CPU that one took.
 *
 *     node bench/policy/asking.ts SETTINGS
 */
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { openAccess, openLivePolicies } from '#access'
import { createLog } from '#audit'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { together } from '#storage'
import { openHouse } from '../../src/house.ts'
import { PEOPLE } from '../subjects.ts'

export interface Asking {
  /** Microseconds of CPU of one question, all threads. */
  readonly microseconds: number
  /** Whether the database of places was in memory: after all the questions, and after asking it one. */
  readonly geo: { readonly before: boolean; readonly after: boolean; readonly megabytes: number }
}

const WARM_UP = 20_000
const ASKED = 60_000
const ADDRESS = '127.0.0.1'

const { settings, folder } = loadSettings(process.argv[2]!, {})
const log = createLog({ level: 'silent' })
const house = await openHouse({ settings: settings!, folder, clock: systemClock, log })
const policies = await openLivePolicies({ folder: resolve(folder, settings!.policies), log, versions: house.versions })
const access = openAccess({ ...house, policies })
const { clock, people, sessions, devices, catalog } = house

/** Somebody who signed in with a password and has opened the app before. */
async function visitor(username: string) {
  const person = (await people.find(username))!
  const { device } = await devices.remember(undefined, person.id, { label: 'bench' })
  const proofs = [{ factor: 'password', at: clock.now(), amr: ['pwd'] }]
  const about = { personId: person.id, proofs, deviceId: device.id, enrolled: null, address: ADDRESS }
  const { session } = await sessions.start(about)
  const ask = async (known = session) => {
    // the app and the session are read by others before, in the flow as here
    const app = await catalog.apps.find('web')
    const about = { kind: 'app', app, session: known, person, device, enrolled: null, address: ADDRESS } as const
    const { outcome } = await together(() => access.ask({ ...about, startedAt: clock.now(), opens: true }))
    if (outcome !== 'allow') throw new Error(`a silent sign-on came to ${outcome}`)
  }
  await ask()
  // with the limits that the rule has put on it, as every later request finds it
  const limited = (await sessions.byId(session.id))!
  return () => ask(limited)
}

const visitors = await Promise.all(Array.from({ length: PEOPLE }, (_, n) => visitor(`user${n}`)))

async function askAll(times: number): Promise<void> {
  let left = times
  await Promise.all(
    visitors.map(async (ask) => {
      while (left-- > 0) await ask()
    }),
  )
}

const hasPlaces = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('/geoip-lite/'))

await askAll(WARM_UP)
const began = process.cpuUsage()
await askAll(ASKED)
const { user, system } = process.cpuUsage(began)
const before = hasPlaces()
const rss = process.memoryUsage.rss()
house.places.find('203.0.113.9')
const geo = { before, after: hasPlaces(), megabytes: (process.memoryUsage.rss() - rss) / 1048576 }
const asking: Asking = { microseconds: (user + system) / ASKED, geo }
console.log(JSON.stringify(asking))
policies.close()
await house.close()
process.exit(0)
