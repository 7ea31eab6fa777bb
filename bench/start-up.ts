/** How long from the command to the first answer, and what an idle server needs of memory: with nothing in it, and with a company in it. */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fillPlace } from './filled/place.ts'
import type { Figure } from './judged.ts'
import { openFlows, type Target } from './load/flows.ts'
import { rssBytes } from './load/processes.ts'
import { ok } from './load/scenarios.ts'
import type { Options } from './policy/options.ts'
import { FLAGS, MACHINES, MAIN, writeFolder } from './portico-folder.ts'
import { freePort, type Running, start } from './processes.ts'
import { table } from './table.ts'
import { LONGEST_START_MS, MOST_IDLE_MB } from './targets.ts'
import { startPortico } from './throughput.ts'
import { atMost, type Found, median } from './verdict.ts'

/** How long a server is left alone before its memory is looked at, in milliseconds. */
const IDLE = { usual: 5000, quick: 2000 }
const root = join(import.meta.dirname, '..')
const COMPANY = { apps: 1000, people: 100_000, sessions: 0, receipts: 0 }

interface StartUp {
  /** With nothing compiled yet: master key, database, signing keys. Median, in milliseconds. */
  readonly bare: number
  /** The same after an installation, which compiles what a server loads. */
  readonly first: number
  /** On the database that is there then. */
  readonly second: number
  /** Some seconds after the start, nothing asked of it. */
  readonly idleMb: number
}

async function idleMb({ pid }: Running, quick: boolean): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, quick ? IDLE.quick : IDLE.usual))
  return rssBytes(pid) / 1048576
}

async function startUp(folder: string, quick: boolean, repeats: number): Promise<StartUp> {
  const [bare, first, second]: [number[], number[], number[]] = [[], [], []]
  let idle = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const folders = [join(folder, `bare-${repeat}`), join(folder, `start-${repeat}`)] as const
    for (const [at, place] of folders.entries()) {
      const port = await freePort()
      const file = writeFolder(place, { port, managementPort: await freePort() })
      const args = [...FLAGS, MAIN, 'serve', '--config', file]
      const options = { args, port, log: join(place, 'log'), folder: place }
      rmSync(join(root, 'data/compile-cache'), { recursive: true, force: true })
      // as `npm ci` does
      if (at === 1) execFileSync(process.execPath, [...FLAGS, join(root, 'src/prepare.js')])
      for (const times of at === 0 ? [bare] : [first, second]) {
        const running = await start(options)
        times.push(running.milliseconds)
        if (times === second && repeat === 0) idle = await idleMb(running, quick)
        await running.stop()
      }
    }
  }
  const [bareMs, firstMs, secondMs] = [bare, first, second].map((times) => Math.round(median(times)))
  return { bare: bareMs!, first: firstMs!, second: secondMs!, idleMb: Math.round(idle) }
}

/** Whether a place is asked for decides whether the database of places is in memory: the policy of the program that asks here does. */
const PLACES = MACHINES.replace('request.kind: [api],', 'request.kind: [api], country: [unknown],')

/** Asks for a token once, so that its policy looks up where that comes from; answers whatever is said. */
async function askOnce(target: string): Promise<void> {
  const flows = await openFlows(JSON.parse(readFileSync(target, 'utf8')) as Target)
  const { headers, body } = flows.authenticated(flows.target.machine, { grant_type: 'client_credentials' })
  const connection = flows.connect()
  ok(await connection.request('POST', flows.endpoint('token_endpoint'), headers, body))
  connection.close()
}

/** With apps and people in it, again and again; the first start after they came is not counted. */
async function withCompany(folder: string, quick: boolean, people: number, repeats: number) {
  const place = await startPortico(folder, { name: 'company' })
  await fillPlace(place, { ...COMPANY, people })
  const own = dirname(place.file)
  const { issuer } = JSON.parse(readFileSync(place.target, 'utf8')) as Target
  const port = Number(new URL(issuer).port)
  const { file } = place
  const options = { args: [...FLAGS, MAIN, 'serve', '--config', file], port, log: join(own, 'log'), folder: own }
  await (await start(options)).stop()
  const times: number[] = []
  let idle = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const running = await start(options)
    times.push(running.milliseconds)
    if (repeat === 0) idle = await idleMb(running, quick)
    await running.stop()
  }
  writeFileSync(join(own, 'policies/machines.yaml'), PLACES)
  const running = await start(options)
  await askOnce(place.target)
  const withPlacesMb = Math.round(await idleMb(running, quick))
  await running.stop()
  return { ready: Math.round(median(times)), idleMb: Math.round(idle), withPlacesMb }
}

export async function startFound({ folder, quick }: Options): Promise<Found> {
  const repeats = quick ? 1 : 3
  const empty = await startUp(folder, quick, repeats)
  const people = quick ? COMPANY.people / 10 : COMPANY.people
  const company = await withCompany(folder, quick, people, repeats)
  const figure = (value: number): Figure =>
    quick ? { value, small: `${people.toLocaleString('en')} people, ${repeats} start` } : value
  const ms = (value: number) => `${value} ms`
  return {
    told: { empty, company: { apps: COMPANY.apps, people, ...company } },
    figures: {
      start: figure(company.ready),
      idle: figure(company.idleMb),
      'idle-geo': figure(company.withPlacesMb),
    },
    verdicts: [
      atMost('start to ready, first start after an installation', empty.first, LONGEST_START_MS, 'ms'),
      atMost('start to ready, second start', empty.second, LONGEST_START_MS, 'ms'),
      atMost('idle memory', empty.idleMb, MOST_IDLE_MB, 'MB'),
    ],
    lines: table(
      ['start to the first answer', ''],
      [
        ['first start, with nothing compiled', ms(empty.bare)],
        ['first start after an installation', ms(empty.first)],
        ['second start', ms(empty.second)],
        ['idle memory after it', `${empty.idleMb} MB`],
        [`with ${COMPANY.apps} apps and ${people.toLocaleString('en')} people`, ms(company.ready)],
        ['idle memory after it', `${company.idleMb} MB`],
        ['the same after a question for a place', `${company.withPlacesMb} MB`],
      ],
    ),
  }
}
