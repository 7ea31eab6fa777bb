/**
 * `npm run bench`: Portico beside the bare engine in one run, as ratios, and everything else that `parts.ts` names; at the end the table
 * of all targets. Writes only below the system's temporary folder. Exit code 1 when a target is missed.
 *
 *     --quick                 shorter turns, smaller worlds, and without what takes long: for a look, not for a claim
 *     --scenarios sso,login   only these, of the flows and parts that `parts.ts` names
 *     --full                  what is filled is filled with all that its target names
 *     --alg RS256             what signs id tokens on both servers; ES256 unless given, which is harder on us
 *     --json                  one JSON object instead of tables
 *     --svg FILE              the flows as a picture as well
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Figures, judged, judgedLines } from './judged.ts'
import { chosen, PARTS, WORDS } from './parts.ts'
import { plot } from './plot.ts'
import { isPinned } from './processes.ts'
import { targets } from './table.ts'
import type { Comparison } from './throughput.ts'
import type { Found } from './verdict.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    svg: { type: 'string' },
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    scenarios: { type: 'string' },
    alg: { type: 'string', default: 'ES256' },
  },
})
const { parts, scenarios, unknown, leftOut } = chosen(values.scenarios?.split(',').filter(Boolean), values.quick)
if (unknown.length > 0 || !['ES256', 'RS256', 'EdDSA'].includes(values.alg) || (values.full && values.quick)) {
  console.error(`scenarios: ${WORDS.join(', ')}; alg: ES256, RS256, EdDSA; --full and --quick are two things`)
  process.exit(2)
}

const say = (line: string) => console.error(`… ${line}`)
const machine = {
  ...{ cores: availableParallelism(), pinned: isPinned(), node: process.version },
  load: Number(loadavg()[0]!.toFixed(1)),
}
const found: Record<string, Found> = {}
const took: Record<string, number> = {}
const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'))
try {
  for (const name of parts) {
    const { title, run } = PARTS[name]!
    say(title)
    const place = join(folder, name)
    mkdirSync(place)
    const began = performance.now()
    const silentSignOns = (found['flows']?.told as readonly Comparison[] | undefined)?.find(
      ({ scenario }) => scenario === 'sso',
    )?.portico.perCpuSecond
    const { quick, full, alg } = values
    found[name] = await run({ folder: place, quick, full, alg, scenarios, silentSignOns, say })
    took[name] = Math.round((performance.now() - began) / 1000)
    // a part may leave gigabytes
    rmSync(place, { recursive: true, force: true })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const figures: Figures = Object.assign({}, ...Object.values(found).map((one) => one.figures ?? {}))
const rows = judged(figures)
const verdicts = Object.values(found).flatMap((one) => one.verdicts)
if (values.svg !== undefined) writeFileSync(values.svg, plot((found['flows']?.told ?? []) as readonly Comparison[]))
if (values.json) {
  const told = Object.fromEntries(Object.entries(found).map(([name, one]) => [name, one.told]))
  console.log(
    JSON.stringify({ machine, quick: values.quick, leftOut, alg: values.alg, took, ...told, verdicts, targets: rows }),
  )
} else
  for (const line of [
    `Node ${machine.node}, ${machine.cores} cores${machine.pinned ? ', server and load generator on a core each' : ''}, load of the machine before: ${machine.load}; id tokens signed with ${values.alg}; SQLite, synchronous=FULL, group commit`,
    ...Object.entries(found).flatMap(([name, one]) =>
      one.lines ? ['', `${PARTS[name]!.title} (${took[name]} s)`, '', ...one.lines] : [],
    ),
    ...(leftOut.length > 0 ? ['', `--quick leaves out: ${leftOut.join(', ')}`] : []),
    ...(verdicts.length > 0 ? ['', ...targets(verdicts)] : []),
    '',
    `The targets${values.quick ? ', with --quick: for a look' : ''} (${Object.values(took).reduce((a, b) => a + b, 0)} s: ${Object.entries(
      took,
    )
      .map(([name, seconds]) => `${name} ${seconds}`)
      .join(', ')})`,
    '',
    ...judgedLines(rows),
  ])
    console.log(line)
process.exit(verdicts.every(({ met }) => met) && rows.every(({ judgement }) => judgement !== 'MISSED') ? 0 : 1)
