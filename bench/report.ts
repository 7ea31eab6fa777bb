/** The figures as tables, and which targets they meet. */
import type { Deciding } from './policy/deciding.ts'
import type { StartUp } from './start-up.ts'
import type { StoreDay } from './store-day.ts'
import type { Comparison } from './throughput.ts'

export interface Report {
  readonly machine: { readonly cores: number; readonly pinned: boolean; readonly node: string }
  readonly alg: string
  readonly compared: readonly Comparison[]
  readonly started: StartUp
  readonly policy: Deciding
  readonly day: StoreDay
}

export interface Verdict {
  readonly what: string
  readonly is: string
  readonly wanted: string
  readonly met: boolean
}

const LONGEST_START = 1500
const MOST_IDLE = 200
/** Microseconds of one decision. */
const DECISION = { median: 20, p99: 100 }
const FEWEST_DECISIONS = 500_000

export function verdicts({ compared, started, policy, day }: Report): Verdict[] {
  const flows = compared.flatMap(({ title, yardstick, ratio, target, portico, bare }) => {
    const errors = portico.errors + bare.errors
    if (target === undefined && errors === 0) return []
    const is = `${ratio.toFixed(2)} × ${yardstick}${errors > 0 ? `, ${errors} errors: ${portico.lastError ?? bare.lastError}` : ''}`
    const wanted = target === undefined ? 'no errors' : `≥ ${target.toFixed(1)}`
    return [{ what: title, is, wanted, met: errors === 0 && ratio >= (target ?? 0) }]
  })
  const start = (what: string, ms: number): Verdict => ({
    what,
    is: `${ms} ms`,
    wanted: `≤ ${LONGEST_START} ms`,
    met: ms <= LONGEST_START,
  })
  return [
    ...flows,
    start('start to ready, first start', started.first),
    start('start to ready, second start', started.second),
    { what: 'idle memory', is: `${started.idleMb} MB`, wanted: `≤ ${MOST_IDLE} MB`, met: started.idleMb <= MOST_IDLE },
    ...decisions(policy),
    {
      what: 'prompts in a store day',
      is: `${day.signIns} sign-in, ${day.stepUps} step-up for ${day.openings} openings`,
      wanted: '1 sign-in, 1 step-up',
      met: day.signIns === 1 && day.stepUps === 1,
    },
  ]
}

function decisions({ rules, sites, median, p99, perSecond }: Deciding): Verdict[] {
  const among = `one decision among ${rules} rules, ${sites} sites`
  const cost = (what: string, is: number, most: number): Verdict => ({
    what: `${among}: ${what}`,
    is: `${is.toFixed(1)} µs`,
    wanted: `≤ ${most} µs`,
    met: is <= most,
  })
  return [
    cost('median', median, DECISION.median),
    cost('p99', p99, DECISION.p99),
    {
      what: 'decisions a second of two threads, as replay makes them, by the shipped policies',
      is: `${(perSecond / 1e6).toFixed(2)} million`,
      wanted: `≥ ${FEWEST_DECISIONS / 1e6} million`,
      met: perSecond >= FEWEST_DECISIONS,
    },
  ]
}

const HEAD = ['flow', 'against', 'ops/s', 'ops/CPU-s', 'p50 ms', 'p99 ms', 'ratio', 'middle half of the turns']

export function rows(report: Report, found: readonly Verdict[]): string[] {
  const { machine, alg, compared, day } = report
  const flows = compared.flatMap(({ title, yardstick, bare, portico, ratio, spread }) => [
    [title, yardstick, ...figures(bare), '', ''],
    ['', 'Portico', ...figures(portico), ratio.toFixed(2), `${spread[0].toFixed(2)} to ${spread[1].toFixed(2)}`],
  ])
  const prompts = day.prompts.map(({ at, app, kind, asked, policy, rule, required }) => [
    at,
    kind,
    app,
    asked.join(', '),
    `${policy} / ${rule}`,
    required,
  ])
  return [
    '',
    `Node ${machine.node}, ${machine.cores} cores${machine.pinned ? ', server and load generator on a core each' : ''}; id tokens signed with ${alg}; SQLite, synchronous=FULL, group commit on both sides`,
    '',
    ...table(HEAD, flows),
    '',
    `A store day: ${day.openings} openings of ${day.apps} apps by one person in ${day.hours} hours`,
    '',
    ...table(['at', 'prompt', 'opening', 'asked for', 'because of', 'which wants'], prompts),
    '',
    ...table(
      ['target', 'wanted', 'is', ''],
      found.map(({ what, wanted, is, met }) => [what, wanted, is, met ? 'met' : 'MISSED']),
    ),
  ]
}

const figures = ({ perSecond, perCpuSecond, p50, p99 }: Comparison['bare']): string[] =>
  [perSecond, perCpuSecond].map((value) => value.toFixed(0)).concat([p50, p99].map((value) => value.toFixed(1)))

function table(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)]
}
