/** `policy replay` over a hundred thousand receipts of fifty thousand people, from the command to its answer. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#core/clock'
import { decide, type Facts } from '#policy'
import { MAIN, writeFolder } from '../portico-folder.ts'
import { openRooms } from '../rooms.ts'
import { atMost, type Measured, median } from '../verdict.ts'
import { policiesIn } from './deciding.ts'
import { inFresh } from './fresh.ts'
import type { Options } from './options.ts'
import { numbers, SHIPPED } from './world.ts'

const LONGEST = 5
const RECEIPTS = 100_000
const PEOPLE = 50_000
/** All of them come within a day, and each again half a day later. */
const APART = 800
const AT_ONCE = 2000
const MINUTE = 60_000

/** Receipt `n`, as the gate would have recorded it: one session each, some apps that are risky, some people at home. */
function factsOf(n: number, first: number, random: (n: number) => number): Facts {
  const person = `person-${n % PEOPLE}`
  const at = first + n * APART
  const started = first + (n % PEOPLE) * APART - MINUTE
  const risky = random(12) === 0
  const proofs = random(3) === 0 ? ['password', 'totp'] : ['password']
  return {
    at,
    request: { kind: 'app', started: at },
    user: {
      id: person,
      username: person,
      directory: 'local',
      attributes: {},
      groups: ['staff', n % 5 === 0 ? 'care' : 'store'],
      organisation: null,
    },
    app: {
      id: risky ? 'sim-swap' : `app-${random(220)}`,
      policy: 'store-apps',
      tags: risky ? ['high-risk'] : ['store'],
      tier: 'standard',
      audience: ['store', 'care'],
    },
    network: { ip: random(6) === 0 ? '198.51.100.200' : `192.0.2.${1 + random(250)}` },
    device: { id: `device-${n % PEOPLE}`, known: true, enrolled: false, kind: 'personal', site: null },
    session: { started, authenticated: proofs.map((factor) => ({ factor, at: started })) },
  }
}

/** Real receipts in a real store; answers the settings file. */
async function writeReceipts(place: string): Promise<string> {
  const file = writeFolder(place, { port: 0, managementPort: 0 })
  const house = await openRooms(file)
  try {
    const policies = policiesIn(SHIPPED)
    const random = numbers(3)
    const first = systemClock.now() - RECEIPTS * APART
    for (let n = 0; n < RECEIPTS; n += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, (_, m) => factsOf(n + m, first, random))
      await Promise.all(some.map((facts) => house.receipts.add(facts, decide(policies, facts, { trace: false }))))
    }
  } finally {
    await house.close()
  }
  return file
}

/** A candidate that asks more of some: a second factor, after half the time. */
function writeCandidate(folder: string): void {
  cpSync(SHIPPED, folder, { recursive: true })
  const file = join(folder, 'store-apps.yaml')
  const text = readFileSync(file, 'utf8').replace('two-factors, within: 12h', 'two-factors, within: 6h')
  // the tests in the file are about the policy that it was
  writeFileSync(file, text.slice(0, text.indexOf('\ntests:') + 1))
}

interface Replayed {
  readonly receipts: number
  readonly total: Readonly<Record<string, number>>
}

export async function replaying({ folder, quick }: Options): Promise<Measured> {
  const place = join(folder, 'replay')
  const file = await writeReceipts(place)
  const candidate = join(place, 'candidate')
  writeCandidate(candidate)
  const args = [MAIN, 'policy', 'replay', '--config', file, '--policies', candidate, '--json']
  const flags = ['--import', join(import.meta.dirname, 'cpu-at-exit.mjs')]
  const [wall, cpu]: [number[], number[]] = [[], []]
  let replayed: Replayed | undefined
  for (let times = 0; times < (quick ? 1 : 3); times++) {
    const began = performance.now()
    const { out, err } = await inFresh(args, { flags })
    wall.push((performance.now() - began) / 1000)
    cpu.push(Number(/^cpu ([\d.]+)$/m.exec(err)?.[1]))
    replayed = JSON.parse(out) as Replayed
  }
  const { receipts, total } = replayed!
  if (receipts !== RECEIPTS || total['newly_prompted'] === 0) throw new Error(`replayed ${JSON.stringify(total)}`)
  const what = `replay of ${RECEIPTS} receipts of ${PEOPLE} people, from the command to its answer`
  return {
    figures: { receipts, people: PEOPLE, wall, cpu, total },
    verdicts: [
      {
        ...atMost(what, median(wall), LONGEST, 's', 1),
        is: `${median(wall).toFixed(1)} s, ${median(cpu).toFixed(1)} s of CPU`,
      },
    ],
  }
}
