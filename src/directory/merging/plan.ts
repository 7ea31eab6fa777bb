/** What a merge would do, person by person. Reads only. */
import type { Problem } from '#config'
import { usernameKey } from '../person.ts'
import { type Candidate, type CandidatesOptions, candidatesOf } from './candidates.ts'
import { judge } from './conflicts.ts'
import { byKey, type Claim, claimsOf, PAIR } from './matching.ts'
import { type Pair, type PairsFile, problemAt, readPairs } from './pairs.ts'
import type { MergeRules, MergeRulesFile } from './rules.ts'
import type { MergesTable } from './tables.ts'

export interface MergePerson {
  readonly id: string
  readonly username: string
}

export interface MergeRow {
  /**
   * `match`: would become one. `merged`: became one just now. `merged-before`: did so in an earlier run. `begun`: an
   * earlier run did not end with it. `conflict`: `reason` says which. `orphan`: nobody on the other side.
   */
  readonly result: 'match' | 'merged' | 'merged-before' | 'begun' | 'conflict' | 'orphan'
  readonly way?: string
  /** Codes, separated by a blank. */
  readonly reason?: string
  readonly from?: MergePerson
  readonly into?: MergePerson
}

export interface MergePlan {
  readonly rules: MergeRules
  readonly rows: readonly MergeRow[]
}

export interface PlanOptions {
  readonly pairs?: PairsFile | undefined
  readonly breakGlass: readonly string[]
}

const short = ({ id, username }: MergePerson): MergePerson => ({ id, username })

/** `problems`: names in the files that are nobody's; then there is no plan. */
export async function planMerge(
  document: MergeRulesFile,
  { pairs: file, breakGlass }: PlanOptions,
  { store, domainsOf }: Omit<CandidatesOptions, 'breakGlass'>,
): Promise<{ plan?: MergePlan; problems: readonly Problem[] }> {
  const rules = document.value!
  const read = file ? await readPairs(file) : { pairs: [], problems: [] }
  const problems: Problem[] = [...read.problems]
  const before = await store.db
    .selectFrom('merges')
    .selectAll()
    .where('from_directory', '=', rules.from)
    .where('into_directory', '=', rules.into)
    .orderBy('username')
    .execute()
  const survivors = new Set(before.map((row) => row.survivor_id))
  const options = { store, domainsOf, breakGlass }
  // whose home is `from` since an earlier run is nobody to be matched again
  const done = new Set([...survivors, ...before.map((row) => row.absorbed_id)])
  const from = (await candidatesOf(rules.from, options)).filter(({ id }) => !done.has(id))
  const into = await candidatesOf(rules.into, options)

  const excepted = new Set<string>()
  const known = { from: byKey(from), into: byKey(into) }
  for (const [index, username] of rules.except.entries()) {
    const key = usernameKey(username) ?? ''
    const found = [known.from.get(key), known.into.get(key)].filter((one) => one !== undefined)
    for (const one of found) excepted.add(one.id)
    // ATTACK: with a name that is written wrong, somebody would be merged who must not be
    if (found.length === 0 && !before.some((row) => usernameKey(row.username) === key))
      problems.push(
        document.problem(['except', index], 'person-unknown', `\`except.${index}\` is nobody in either directory`),
      )
  }
  const pairs = pairsOf(read.pairs, file?.file ?? '', known, before, problems)
  if (problems.length > 0) return { problems }

  const free = (all: readonly Candidate[]) => all.filter(({ id }) => !excepted.has(id))
  const { claims, crowd } = claimsOf(rules, pairs, { from: free(from), into: free(into) })
  const judged = judge(claims, rules, survivors)
  const seen = new Set([...claims.flatMap((claim) => [claim.from.id, claim.into.id]), ...crowd.map(({ id }) => id)])
  const orphans = (side: 'from' | 'into', all: readonly Candidate[]): MergeRow[] =>
    all
      .filter(({ id }) => !seen.has(id) && !survivors.has(id))
      .map((one) => ({ result: 'orphan', [side]: short(one), ...(excepted.has(one.id) ? { reason: 'excepted' } : {}) }))
  const rows: MergeRow[] = [
    ...(await earlier(before, store)),
    ...judged.map(
      ({ claim, conflicts }): MergeRow => ({
        result: conflicts.length > 0 ? 'conflict' : 'match',
        way: claim.way,
        ...(conflicts.length > 0 ? { reason: conflicts.join(' ') } : {}),
        from: short(claim.from),
        into: short(claim.into),
      }),
    ),
    ...crowd.map((one): MergeRow => ({ result: 'conflict', reason: 'several-from', into: short(one) })),
    ...orphans('from', from),
    ...orphans('into', into),
  ]
  return { plan: { rules, rows }, problems }
}

/** The pairs of the file; whom nobody knows, and who was not merged by an earlier run, is a problem. */
function pairsOf(
  pairs: readonly Pair[],
  file: string,
  known: Readonly<Record<'from' | 'into', ReadonlyMap<string, Candidate>>>,
  before: readonly MergesTable[],
  problems: Problem[],
): Claim[] {
  const gone = new Set(before.map((row) => usernameKey(row.username)))
  return pairs.flatMap((pair): Claim[] => {
    if (gone.has(pair.from)) return []
    const [from, into] = [known.from.get(pair.from), known.into.get(pair.into)]
    for (const [side, found] of [
      ['from', from],
      ['into', into],
    ] as const)
      if (!found)
        problems.push(
          problemAt(file, pair.line, 'person-unknown', `\`${pair[side]}\` is nobody in the directory \`${side}\``),
        )
    return from && into ? [{ from, into, way: PAIR }] : []
  })
}

async function earlier(before: readonly MergesTable[], store: CandidatesOptions['store']): Promise<MergeRow[]> {
  const rows: MergeRow[] = []
  for (const { absorbed_id, survivor_id, username, finished_at } of before) {
    const survivor = await store.byId(survivor_id)
    rows.push({
      result: finished_at === null ? 'begun' : 'merged-before',
      from: { id: absorbed_id, username },
      ...(survivor ? { into: short(survivor) } : {}),
    })
  }
  return rows
}
