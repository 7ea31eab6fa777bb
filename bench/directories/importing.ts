/** The command `people import` with a large file, and finding one of them afterwards. */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { inFresh } from '../policy/fresh.ts'
import type { Options } from '../policy/options.ts'
import { MAIN } from '../portico-folder.ts'
import { atMost, type Measured } from '../verdict.ts'
import { GROUPS, writeSettings } from './world.ts'

interface Found {
  readonly [way: string]: { readonly median: number; readonly p99: number }
}

const WAYS: Readonly<Record<string, string>> = {
  byId: 'by id',
  byName: 'by user name',
  search: 'by a part of the mail address',
}

const LONGEST = 60

export async function importing({ folder, quick }: Options): Promise<Measured> {
  const people = quick ? 20_000 : 200_000
  const file = writeSettings(join(folder, 'import'), [{ id: 'local', kind: 'local' }])
  const rows = join(folder, 'people.csv')
  await write(rows, people)
  const began = performance.now()
  const flags = ['--import', join(import.meta.dirname, '../policy/cpu-at-exit.mjs')]
  const { err } = await inFresh([MAIN, 'people', 'import', rows, '--config', file], { flags })
  const cpu = Number(/^cpu ([\d.]+)$/m.exec(err)?.[1])
  const seconds = (performance.now() - began) / 1000
  if (!err.includes(`${people} added, 0 changed, 0 unchanged, 0 refused`)) throw new Error(err)
  const found = JSON.parse(
    (await inFresh([join(import.meta.dirname, 'look-up.ts'), file, String(people)])).out,
  ) as Found
  return {
    figures: { people, seconds, cpu, found },
    verdicts: [
      {
        what: `import of ${people.toLocaleString('en')} people, the whole command`,
        is: `${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU`,
        wanted: `≤ ${LONGEST} s`,
        met: seconds <= LONGEST,
      },
      ...Object.entries(found).map(([way, { median }]) =>
        atMost(`looking one of them up ${WAYS[way]}, median`, median, 1, 'ms', 2),
      ),
    ],
  }
}

async function write(name: string, people: number): Promise<void> {
  const file = createWriteStream(name)
  file.write('username,name,given_name,family_name,mail,groups,organisation,language\n')
  for (let i = 0; i < people; i++) {
    const line = `user${i},Given${i} Family${i},Given${i},Family${i},user${i}@kestrel.example,staff;store-${i % GROUPS},retail/nl,nl\n`
    if (!file.write(line)) await new Promise((resolve) => file.once('drain', resolve))
  }
  file.end()
  await finished(file)
}
