/** Whether a storm of passwords is felt by those who are asked nothing: silent sign-ons while the queue of hashes is full. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fillPlace } from '../filled/place.ts'
import type { Options } from '../policy/options.ts'
import { FLAGS, MAIN } from '../portico-folder.ts'
import { LOAD_CORE, onCore, start } from '../processes.ts'
import { table } from '../table.ts'
import { startPortico } from '../throughput.ts'
import type { Found } from '../verdict.ts'
import type { QueueMeasured, Times } from './crowd.ts'

/** As many as a core hashes for within the ten seconds that somebody may wait; of more, most would be pages for who is turned away. */
const CROWD = 400
/** Fewer than so many waiting at any time, and the queue was not full. */
const FULL = CROWD / 4

export async function queue({ folder, quick, say }: Options): Promise<Found> {
  const place = await startPortico(folder, { name: 'queue' })
  await fillPlace(place, { people: CROWD, apps: 0, sessions: 0, receipts: 0 })
  const own = dirname(place.file)
  const { listen, management } = JSON.parse(readFileSync(place.file, 'utf8')) as {
    listen: string
    management: { listen: string }
  }
  const portOf = (address: string) => Number(address.split(':')[1])
  const args = [...FLAGS, MAIN, 'serve', '--config', place.file]
  const running = await start({ args, port: portOf(listen), log: join(own, 'log'), folder: own })
  try {
    say(`${CROWD} people with passwords`)
    const about = ['--target', place.target, '--pid', String(running.pid), '--people', String(CROWD)]
    const how = ['--management', String(portOf(management.listen)), '--seconds', quick ? '4' : '20']
    const [command, all] = onCore(LOAD_CORE, [join(import.meta.dirname, 'crowd.ts'), ...about, ...how])
    const said = await text(spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
    return foundOf(JSON.parse(said) as QueueMeasured)
  } finally {
    await running.stop()
  }
}

function foundOf(measured: QueueMeasured): Found {
  const { unloaded, beside, waiting, signIns, turnedAway, otherErrors, busyPercent } = measured
  const errors = unloaded.errors + beside.errors
  const wrong =
    errors > 0
      ? `${errors} errors: ${beside.lastError ?? unloaded.lastError}`
      : waiting.least >= FULL
        ? undefined
        : `at times only ${waiting.least} waited for a hash`
  const row = (what: string, { p50, p99, longest, loop }: Times) => [
    what,
    ...[p50, p99, longest, loop.p99, loop.longest].map((value) => value.toFixed(1)),
  ]
  return {
    told: measured,
    figures: { queue: wrong === undefined ? beside.p99 / unloaded.p99 : { why: wrong } },
    verdicts: [],
    lines: [
      ...table(
        ['silent sign-on', 'p50 ms', 'p99 ms', 'longest ms', 'event loop late by, p99 ms', 'longest ms'],
        [row('with nothing else', unloaded), row('while the hash queue is full', beside)],
      ),
      '',
      `meanwhile ${waiting.least} to ${waiting.most} waited for a hash, ${signIns} signed in, ${turnedAway} were turned away (503)${otherErrors.length > 0 ? `; and ${otherErrors.join('; ')}` : ''}; the server was busy for ${busyPercent.toFixed(0)} % of a core`,
    ],
  }
}
