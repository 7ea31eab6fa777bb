import { systemClock } from '#core/clock'
import { openRooms } from '../rooms.ts'

const AT_ONCE = 500
const [file, count] = [process.argv[2]!, Number(process.argv[3])]

/** Of what V8 holds, once nothing is left to collect. */
async function held(): Promise<number> {
  for (let times = 0; times < 4; times++) {
    globalThis.gc!()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const house = await openRooms(file)
const { id } = (await house.people.find('user0'))!

async function make(number: number): Promise<void> {
  const proofs = [{ factor: 'password', at: systemClock.now(), amr: ['pwd'] }]
  const address = `192.0.2.${number % 250}`
  const { session } = await house.sessions.start({ personId: id, deviceId: `device-${number}`, address, proofs })
  await house.sessions.addApp(session, { app: 'web', sid: `sid-${number}` })
  // as each silent sign-on does
  await house.sessions.recall(session.id)
}

async function makeAll(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, to - n) }, (_, m) => make(n + m)))
}

// what the first thousand compile and cache is not theirs
await makeAll(0, 1000)
const before = await held()
await makeAll(1000, 1000 + count)
const after = await held()
await house.close()
console.log(JSON.stringify({ count, bytes: (after - before) / count }))
