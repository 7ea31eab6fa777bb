/**
 * Apps: the commands of the factory, and what many registered apps cost. `npm run bench` runs it with everything else; by itself:
 *
 *     npm run bench -- --scenarios apps
 *     node bench/apps/apps.ts [--quick] [--json] [NAME…]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Options } from '../policy/options.ts'
import { targets } from '../table.ts'
import type { Measured } from '../verdict.ts'
import { applying, searching } from './commands.ts'
import { many } from './many.ts'

const PARTS: Readonly<Record<string, (options: Options) => Promise<Measured>>> = { applying, searching, many }

export const APPS: readonly string[] = Object.freeze(Object.keys(PARTS))

export async function appsLayer(options: Options, names = APPS): Promise<Record<string, Measured>> {
  const measured: Record<string, Measured> = {}
  for (const name of names) {
    options.say(`apps: ${name}`)
    measured[name] = await PARTS[name]!(options)
  }
  return measured
}

/** Answers the exit code. */
async function appsAlone(quick: boolean, json: boolean, names?: string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const say = (line: string) => console.error(`… ${line}`)
    const found = await appsLayer({ folder, quick, say }, names)
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
  process.exitCode = await appsAlone(values.quick, values.json, positionals.length > 0 ? positionals : undefined)
}
