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
const AT_ONCE = 20

const goneOf = (row: MergeRow): MergeRow => ({ ...row, result: 'conflict', reason: 'gone' })

export function createMerging(parts: MergingParts): Merging {
  const { store, audit, domainsOf } = parts
  const listeners: MergeListener[] = []
  const carryOut = createCarryOut({ ...parts, listeners })

  const begun = (id: string): Promise<MergesTable | undefined> =>
    store.db.selectFrom('merges').selectAll().where('absorbed_id', '=', id).executeTakeFirst()

  /** What has come between the two since they were planned. */
  async function changed(
    row: MergeRow,
    rules: MergeRules,
    breakGlass: readonly string[],
  ): Promise<Conflict[] | 'gone'> {
    const only = async (directory: string, id: string) => {
      const found = await candidatesOf(directory, { store, domainsOf, breakGlass, id })
      return found[0]
    }
    const [from, into] = [await only(rules.from, row.from!.id), await only(rules.into, row.into!.id)]
    if (!from || !into) return 'gone'
    const used = await store.db
      .selectFrom('merges')
      .select('absorbed_id')
      .where('survivor_id', '=', into.id)
      .where('from_directory', '=', rules.from)
      .where('absorbed_id', '!=', from.id)
      .executeTakeFirst()
    return [...(used ? (['merged-before'] as const) : []), ...conflictsOf(from, into, rules)]
  }

  /** The row as it is to be reported, and the mark of a pair that is to be made one. */
  async function begin(row: MergeRow, plan: MergePlan, breakGlass: readonly string[], by: string) {
    if (row.result !== 'match' && row.result !== 'begun') return { row }
    if (row.result === 'match') {
      const conflicts = await changed(row, plan.rules, breakGlass)
      if (conflicts === 'gone') return { row: goneOf(row) }
      if (conflicts.length > 0) return { row: { ...row, result: 'conflict', reason: conflicts.join(' ') } as const }
      await carryOut.begin(row.from!.id, row.into!.id, plan.rules, by)
    }
    const mark = await begun(row.from!.id)
    return mark ? { row: { ...row, result: 'merged' } as const, mark } : { row: goneOf(row) }
  }

  /** INVARIANT: of each pair its mark is written first, and the disk gets everything in the order of writing. */
  async function some(rows: readonly MergeRow[], plan: MergePlan, breakGlass: readonly string[], by: string) {
    const all: { row: MergeRow; mark?: MergesTable }[] = []
    for (const row of rows) all.push(await begin(row, plan, breakGlass, by))
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
