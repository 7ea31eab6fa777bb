/** The figures as tables, and which targets they meet. */
import type { StartUp } from './start-up.ts'
import type { StoreDay } from './store-day.ts'
import { table, targets } from './table.ts'
import { AT_HALF, AT_LEAST, type Comparison } from './throughput.ts'
import { atMost, type Measured, type Verdict } from './verdict.ts'

export interface Report {
  readonly machine: { readonly cores: number; readonly pinned: boolean; readonly node: string }
  readonly alg: string
  readonly compared: readonly Comparison[]
  readonly started: StartUp
  /** By the names of `policy/policy.ts`. */
  readonly policy: Readonly<Record<string, Measured>>
  /** By the names of `directories/directories.ts`. */
  readonly directories: Readonly<Record<string, Measured>>
  /** By the names of `apps/apps.ts`. */
  readonly apps: Readonly<Record<string, Measured>>
  readonly day: StoreDay
}

const LONGEST_START = 1500
const MOST_IDLE = 200

export const flowVerdicts = (compared: readonly Comparison[]): Verdict[] =>
  compared.flatMap((one) => {
    const { scenario, title, yardstick, ratio, target, portico, bare, half } = one
    const [least, longest] = [AT_LEAST[scenario], AT_HALF[scenario]]
    const errors = portico.errors + bare.errors + (half?.errors ?? 0)
    const found: Verdict[] = []
    if (target !== undefined || errors > 0) {
      const is = `${ratio.toFixed(2)} × ${yardstick}${errors > 0 ? `, ${errors} errors: ${portico.lastError ?? bare.lastError ?? half?.lastError}` : ''}`
      const wanted = target === undefined ? 'no errors' : `≥ ${target.toFixed(1)}`
      found.push({ what: title, is, wanted, met: errors === 0 && ratio >= (target ?? 0) })
    }
    if (least !== undefined)
      found.push({
        what: `${title}, per second of CPU`,
        is: portico.perCpuSecond.toFixed(0),
        wanted: `≥ ${least}`,
        met: portico.perCpuSecond >= least,
      })
    if (half && longest !== undefined)
      found.push(
        atMost(
          `${title}, p99 at ${half.perSecond.toFixed(0)} a second (the load generator's own lateness: ${half.late99} ms)`,
          half.p99,
          longest,
          'ms',
          1,
        ),
      )
    return found
  })

export function verdicts({ compared, started, policy, directories, apps, day }: Report): Verdict[] {
  const flows = flowVerdicts(compared)
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
    ...Object.values({ ...policy, ...directories, ...apps }).flatMap((one) => one.verdicts),
    {
      what: 'prompts in a store day',
      is: `${day.signIns} sign-in, ${day.stepUps} step-up for ${day.openings} openings`,
      wanted: '1 sign-in, 1 step-up',
      met: day.signIns === 1 && day.stepUps === 1,
    },
  ]
}

const HEAD = ['flow', 'against', 'ops/s', 'ops/CPU-s', 'p50 ms', 'p99 ms', 'ratio', 'middle half of the turns']

export const flowRows = (compared: readonly Comparison[]): string[] =>
  table(
    HEAD,
    compared.flatMap(({ title, yardstick, bare, portico, ratio, spread, half }) => [
      [title, yardstick, ...figures(bare), '', ''],
      ['', 'Portico', ...figures(portico), ratio.toFixed(2), `${spread[0].toFixed(2)} to ${spread[1].toFixed(2)}`],
      ...(half ? [['', 'Portico, half loaded', ...figures(half), '', '']] : []),
    ]),
  )

export function rows(report: Report, found: readonly Verdict[]): string[] {
  const { machine, alg, compared, day } = report
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
    ...flowRows(compared),
    '',
    `A store day: ${day.openings} openings of ${day.apps} apps by one person in ${day.hours} hours`,
    '',
    ...table(['at', 'prompt', 'opening', 'asked for', 'because of', 'which wants'], prompts),
    '',
    ...targets(found),
  ]
}

const figures = ({ perSecond, perCpuSecond, p50, p99 }: Comparison['bare']): string[] =>
  [perSecond, perCpuSecond].map((value) => value.toFixed(0)).concat([p50, p99].map((value) => value.toFixed(1)))
