/** The table at the end of a run: every target, what was measured, and what that is worth. Nothing in it is invented. */
import { table } from './table.ts'
import { TARGETS, type Target } from './targets.ts'

/** A number; one of a world that is smaller than its target names, which is shown and not judged; or why there is none. */
export type Figure = number | { readonly value: number; readonly small: string } | { readonly why: string }
export type Figures = Readonly<Record<string, Figure>>

export type Judgement = 'reached' | 'met' | 'MISSED' | 'not reached' | 'not judged' | 'not measured in this run'

export interface Row {
  readonly what: string
  readonly unit: string
  readonly scenario: string
  readonly side: Target['side']
  /** Null where there is nothing that must be. */
  readonly must: number | null
  readonly reach: number | null
  readonly measured: number | null
  readonly judgement: Judgement
  /** Why there is no figure, or no judgement of it. */
  readonly why?: string
}

export function judged(figures: Figures): Row[] {
  return TARGETS.map((target) => {
    const { figure, what, unit, scenario, side, must, reach, never } = target
    const found = Object.hasOwn(figures, figure) ? figures[figure]! : { why: never }
    const value = typeof found === 'number' ? found : 'value' in found ? found.value : Number.NaN
    const measured = Number.isFinite(value) ? value : null
    const why = typeof found === 'number' ? undefined : 'value' in found ? found.small : found.why
    return {
      ...{ what, unit, scenario, side, measured },
      ...{ must: must ?? null, reach: reach ?? null },
      judgement: measured === null ? 'not measured in this run' : why ? 'not judged' : judgementOf(target, measured),
      ...(why === undefined ? {} : { why }),
    }
  })
}

function judgementOf({ side, must, reach }: Target, measured: number): Judgement {
  const within = (bound: number) => (side === 'at least' ? measured >= bound : measured <= bound)
  if (reach !== undefined && within(reach)) return 'reached'
  if (must === undefined) return 'not reached'
  return within(must) ? 'met' : 'MISSED'
}

const digitsOf = new Map(TARGETS.map(({ what, digits }) => [what, digits]))

export function judgedLines(rows: readonly Row[]): string[] {
  const shown = ({ side, unit }: Row, bound: number | null) =>
    bound === null ? '' : `${side === 'at least' ? '≥' : '≤'} ${bound} ${unit}`
  return table(
    ['target', 'must', 'reach for', 'measured', ''],
    rows.map((row) => [
      row.what,
      shown(row, row.must),
      shown(row, row.reach),
      row.measured === null ? '' : `${row.measured.toFixed(digitsOf.get(row.what))} ${row.unit}`,
      row.why === undefined ? row.judgement : `${row.judgement}: ${row.why}`,
    ]),
  )
}
