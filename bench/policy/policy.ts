/**
 * The policy layer: all that is measured of it, by name. `npm run bench` runs it with everything else; by itself:
 *
 *     node bench/policy/policy.ts [--quick] [--json] [NAME…]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { targets } from '../table.ts'
import type { Measured } from '../verdict.ts'
import { deciding } from './deciding.ts'
import { loading } from './loading.ts'
import { memory } from './memory.ts'
import type { Options } from './options.ts'
import { publishing } from './publishing.ts'
import { replaying } from './replaying.ts'
import { share } from './share.ts'

const PARTS: Readonly<Record<string, (options: Options) => Promise<Measured>>> = {
  deciding,
  loading,
  memory,
  replaying,
  publishing,
  share,
}

export const POLICY: readonly string[] = Object.freeze(Object.keys(PARTS))

export async function policyLayer(options: Options, names = POLICY): Promise<Record<string, Measured>> {
  const measured: Record<string, Measured> = {}
  for (const name of names) {
    options.say(`policies: ${name}`)
    measured[name] = await PARTS[name]!(options)
  }
  return measured
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
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  try {
    const say = (line: string) => console.error(`… ${line}`)
    const found = await policyLayer(
      { folder, quick: values.quick, say },
      positionals.length > 0 ? positionals : undefined,
    )
    const verdicts = Object.values(found).flatMap((one) => one.verdicts)
    console.log(values.json ? JSON.stringify(found) : targets(verdicts).join('\n'))
    process.exitCode = verdicts.every(({ met }) => met) ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
