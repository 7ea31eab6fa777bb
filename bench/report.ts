/** What came of the flows: as tables, beside what each must reach, and as figures for the table of targets. */
import type { Figure, Figures } from './judged.ts'
import { table } from './table.ts'
import { AT_HALF, AT_LEAST } from './targets.ts'
import type { Comparison } from './throughput.ts'
import { atMost, type Found, type Verdict } from './verdict.ts'

const errorsOf = ({ portico, bare, half, memory }: Comparison): string | undefined => {
  const all = [portico, bare, ...(half ? [half] : []), ...(memory ? [memory.measured] : [])]
  const count = all.reduce((sum, { errors }) => sum + errors, 0)
  return count === 0 ? undefined : `${count} errors: ${all.find(({ lastError }) => lastError)?.lastError}`
}

const flowVerdicts = (compared: readonly Comparison[]): Verdict[] =>
  compared.flatMap((one) => {
    const { scenario, title, yardstick, ratio, target, portico, half } = one
    const [least, longest] = [AT_LEAST[scenario], AT_HALF[scenario]]
    const errors = errorsOf(one)
    const found: Verdict[] = []
    if (target !== undefined || errors !== undefined) {
      const is = `${ratio.toFixed(2)} × ${yardstick}${errors === undefined ? '' : `, ${errors}`}`
      const wanted = target === undefined ? 'no errors' : `≥ ${target.toFixed(1)}`
      found.push({ what: title, is, wanted, met: errors === undefined && ratio >= (target ?? 0) })
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
          `${title}, p99 at ${half.perSecond.toFixed(0)} a second (middle of ${half.windows99.join(', ')}; with the load generator's own lateness: ${half.sinceDue99} ms)`,
          half.p99,
          longest,
          'ms',
          1,
        ),
      )
    return found
  })

/** By the names of `targets.ts`. */
function flowFigures(compared: readonly Comparison[]): Figures {
  const figures: Record<string, Figure> = {}
  for (const one of compared) {
    const { scenario, ratio, portico, memory, hashAlone } = one
    const errors = errorsOf(one)
    const tell = (name: string, value: number) => {
      figures[name] = errors === undefined ? value : { why: errors }
    }
    if (memory) {
      tell(scenario, memory.ratio)
      tell(`${scenario}-p99`, portico.p99)
    }
    if (hashAlone !== undefined) tell(scenario, portico.perCpuSecond / hashAlone)
    if (scenario === 'api_many') tell(scenario, ratio)
  }
  return figures
}

const HEAD = ['flow', 'against', 'ops/s', 'ops/CPU-s', 'CPU µs', 'p50 ms', 'p99 ms', 'MB', 'ratio', 'middle half']

const flowRows = (compared: readonly Comparison[]): string[] =>
  table(
    HEAD,
    compared.flatMap(({ title, yardstick, bare, portico, ratio, spread, half, memory, hashAlone }) => [
      [title, yardstick, ...figures(bare), ratio.toFixed(2), range(spread)],
      ...(memory
        ? [['', 'the same, in memory', ...figures(memory.measured), memory.ratio.toFixed(2), range(memory.spread)]]
        : []),
      ...(hashAlone === undefined
        ? []
        : [
            [
              '',
              'the hash alone',
              '',
              hashAlone.toFixed(0),
              (1e6 / hashAlone).toFixed(0),
              '',
              '',
              '',
              (portico.perCpuSecond / hashAlone).toFixed(2),
              '',
            ],
          ]),
      ['', 'Portico', ...figures(portico), '', ''],
      ...(half ? [['', 'Portico, half loaded', ...figures(half), '', '']] : []),
    ]),
  )

const range = ([low, high]: Comparison['spread']) => `${low.toFixed(2)} to ${high.toFixed(2)}`

function figures({ perSecond, perCpuSecond, p50, p99, rssMb }: Comparison['bare']): string[] {
  const whole = [perSecond, perCpuSecond, 1e6 / perCpuSecond].map((value) => value.toFixed(0))
  return [...whole, p50.toFixed(1), p99.toFixed(1), rssMb.toFixed(0)]
}

export const flowsFound = (compared: readonly Comparison[]): Found => ({
  figures: flowFigures(compared),
  verdicts: flowVerdicts(compared),
  lines: flowRows(compared),
  told: compared,
})
