/** Two directories become one, by a rules file: planned first, then person by person, and gone on with after a crash. */
import type { Problem } from '#config'
import { together } from '#storage'
import { type Aliases, createAliases } from './aliases.ts'
import { candidatesOf } from './candidates.ts'
import { createCarryOut, type MergeListener, type MergeParts } from './carry-out.ts'
import { type Conflict, conflictsOf } from './conflicts.ts'
import { type MergePlan, type MergeRow, type PlanOptions, planMerge } from './plan.ts'
import type { MergeRules, MergeRulesFile } from './rules.ts'
import type { MergesTable } from './tables.ts'

export interface Merging extends Aliases {
  /** Writes nothing. `problems`: what is wrong with the files, all at once; then there is no plan. */
  planMerge(rules: MergeRulesFile, options: PlanOptions): Promise<{ plan?: MergePlan; problems: readonly Problem[] }>
  /**
   * Does what an earlier run of these two directories did not end, then every match that is free of conflicts; answers
   * every row as it then is. Whatever changed since the plan was made is looked at again for each pair.
   */
  merge(plan: MergePlan, options: Pick<PlanOptions, 'breakGlass'>, by: string): AsyncIterable<MergeRow>
  /** Awaited for each pair: what other rooms keep about people. */
  onMerged(listener: MergeListener): void
}

export interface MergingParts extends Omit<MergeParts, 'listeners'> {
  domainsOf(directory: string): readonly string[]
}

/** So many pairs wait for the disk together; whoever else writes waits for them, so not for longer than a blink. */
const AT_ONCE = 50

const goneOf = (row: MergeRow): MergeRow => ({ ...row, result: 'conflict', reason: 'gone' })

export function createMerging(parts: MergingParts): Merging {
  const { store, audit, domainsOf } = parts
  const listeners: MergeListener[] = []
  const carryOut = createCarryOut({ ...parts, listeners })

  const begun = (id: string): Promise<MergesTable | undefined> =>
    store.db.selectFrom('merges').selectAll().where('absorbed_id', '=', id).executeTakeFirst()

  /** What has come between the two of each pair since they were planned, by the id of `from`. */
  async function changed(rows: readonly MergeRow[], rules: MergeRules, breakGlass: readonly string[]) {
    const look = async (side: 'from' | 'into') => {
      const ids = rows.map((row) => row[side]!.id)
      const found = await candidatesOf(rules[side], { store, domainsOf, breakGlass, ids })
      return new Map(found.map((one) => [one.id, one]))
    }
    const [from, into] = [await look('from'), await look('into')]
    const used = await store.db
      .selectFrom('merges')
      .select(['survivor_id', 'absorbed_id'])
      .where('survivor_id', 'in', [...into.keys()])
      .where('from_directory', '=', rules.from)
      .execute()
    return new Map(
      rows.map((row): [string, Conflict[] | 'gone'] => {
        const [one, other] = [from.get(row.from!.id), into.get(row.into!.id)]
        if (!one || !other) return [row.from!.id, 'gone']
        const before = used.some((mark) => mark.survivor_id === other.id && mark.absorbed_id !== one.id)
        return [one.id, [...(before ? (['merged-before'] as const) : []), ...conflictsOf(one, other, rules)]]
      }),
    )
  }

  /** The row as it is to be reported, and the mark of a pair that is to be made one. */
  async function begin(row: MergeRow, conflicts: Conflict[] | 'gone' | undefined, rules: MergeRules, by: string) {
    if (row.result !== 'match' && row.result !== 'begun') return { row }
    if (row.result === 'match') {
      if (conflicts === undefined || conflicts === 'gone') return { row: goneOf(row) }
      if (conflicts.length > 0) return { row: { ...row, result: 'conflict', reason: conflicts.join(' ') } as const }
      await carryOut.begin(row.from!.id, row.into!.id, rules, by)
    }
    const mark = await begun(row.from!.id)
    return mark ? { row: { ...row, result: 'merged' } as const, mark } : { row: goneOf(row) }
  }

  /** INVARIANT: of each pair its mark is written first, and the disk gets everything in the order of writing. */
  async function some(rows: readonly MergeRow[], plan: MergePlan, breakGlass: readonly string[], by: string) {
    const all: { row: MergeRow; mark?: MergesTable }[] = []
    const matches = rows.filter(({ result }) => result === 'match')
    const conflicts = matches.length > 0 ? await changed(matches, plan.rules, breakGlass) : undefined
    for (const row of rows) all.push(await begin(row, conflicts?.get(row.from?.id ?? ''), plan.rules, by))
    const marks = all.flatMap(({ mark }) => mark ?? [])
    const gone = await carryOut.finish(marks, by)
    return all.map(({ row }) => (row.from && gone.has(row.from.id) ? goneOf(row) : row))
  }

  return {
    ...createAliases(store),
    onMerged: (listener) => void listeners.push(listener),
    planMerge: (rules, options) => planMerge(rules, options, { store, domainsOf }),

    async *merge(plan, { breakGlass }, by) {
      let merged = 0
      try {
        for (let at = 0; at < plan.rows.length; at += AT_ONCE) {
          const rows = plan.rows.slice(at, at + AT_ONCE)
          const done = await together(() => some(rows, plan, breakGlass, by))
          merged += done.filter(({ result }) => result === 'merged').length
          yield* done
        }
      } finally {
        const reason = `${plan.rules.from}:${plan.rules.into}`
        await audit.record('directories-merged', { actor: by, reason, count: merged })
      }
    },
  }
}
