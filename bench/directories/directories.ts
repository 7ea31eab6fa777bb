/**
 * Directories: all that is measured of them, by name. `npm run bench` runs it with everything else; by itself:
 *
 *     npm run bench -- --scenarios directories
 *     node bench/directories/directories.ts [--quick] [--json] [NAME…]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Options } from '../policy/options.ts'
import { targets } from '../table.ts'
import type { Measured } from '../verdict.ts'
import { apart } from './apart.ts'
import { importing } from './importing.ts'
import { merging } from './merging.ts'
import { syncing } from './syncing.ts'
import { trips } from './trips.ts'

const PARTS: Readonly<Record<string, (options: Options) => Promise<Measured>>> = {
  trips,
  syncing,
  importing,
  merging,
  apart,
}

export const DIRECTORIES: readonly string[] = Object.freeze(Object.keys(PARTS))

export async function directoryLayer(options: Options, names = DIRECTORIES): Promise<Record<string, Measured>> {
  const measured: Record<string, Measured> = {}
  for (const name of names) {
    options.say(`directories: ${name}`)
    measured[name] = await PARTS[name]!(options)
  }
  return measured
}

/** Answers the exit code. */
async function directoriesAlone(quick: boolean, json: boolean, names?: string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const say = (line: string) => console.error(`… ${line}`)
    const found = await directoryLayer({ folder, quick, say }, names)
    const verdicts = Object.values(found).flatMap((one) => one.verdicts)
    console.log(json ? JSON.stringify(found) : targets(verdicts).join('\n'))
    return verdicts.every(({ met }) => met) ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name))
  if (unknown.length > 0) {
    console.error(`known are ${Object.keys(PARTS).join(', ')}`)
    process.exit(2)
  }
  process.exitCode = await directoriesAlone(values.quick, values.json, positionals.length > 0 ? positionals : undefined)
}
