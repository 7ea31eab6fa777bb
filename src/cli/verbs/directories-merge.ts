/** `directories merge`: two directories become one, by a rules file. */
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { formatProblem, type Problem } from '#config'
import { CONFLICTS, csvLine, type MergePlan, type MergeRow, readMergeRules } from '#directory'
import type { Arguments, Context, Verb } from '../verb.ts'
import { BY } from './person-lines.ts'

const COLUMNS = ['result', 'way', 'reason', 'from', 'from_id', 'into', 'into_id'] as const
const FORMATS = ['.csv', '.jsonl']

export const mergeDirectories: Verb = {
  words: ['directories', 'merge'],
  usage: 'directories merge RULES.yaml [--dry-run] [--skip-conflicts] [--result FILE.csv|FILE.jsonl]',
  summary:
    'make the people of two directories one where the rules say that they are; --dry-run lists what would happen',
  options: ['result'],
  switches: ['dry-run', 'skip-conflicts'],
  async run(args, context) {
    const [name, ...more] = args.positional
    if (name === undefined || more.length > 0) {
      context.err(`usage: portico ${mergeDirectories.usage}`)
      return 2
    }
    const result = args.flag('result')
    if (result !== undefined && !FORMATS.includes(extname(result).toLowerCase())) {
      context.err('--result: expected a file name that ends with .csv or .jsonl')
      return 2
    }
    const plan = await planOf(name, context)
    return plan ? carryOut(plan, args, context) : 2
  },
}

const breakGlassOf = ({ settings }: Context) => settings.break_glass

/** Undefined after saying everything that is wrong with the files. */
async function planOf(name: string, context: Context): Promise<MergePlan | undefined> {
  const file = resolve(name)
  const say = (problems: readonly Problem[]) => {
    for (const problem of problems) context.err(formatProblem(problem))
    return undefined
  }
  const text = await textOf(file, name, context)
  if (text === undefined) return undefined
  const rules = readMergeRules(
    name,
    text,
    context.settings.directories.map(({ id }) => id),
  )
  if (!rules.value) return say(rules.problems)
  const { pairs: pairsName } = rules.value
  const pairsText = pairsName && (await textOf(resolve(dirname(file), pairsName), pairsName, context))
  if (pairsName !== undefined && pairsText === undefined) return undefined
  const { people } = await context.open()
  const { plan, problems } = await people.merging.planMerge(rules, {
    breakGlass: breakGlassOf(context),
    ...(pairsName === undefined ? {} : { pairs: { file: pairsName, text: pairsText! } }),
  })
  return plan ?? say(problems)
}

async function textOf(file: string, name: string, context: Context): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    context.err(`file-unreadable: ${name}: ${(error as NodeJS.ErrnoException).code}`)
    return undefined
  }
}

async function carryOut(plan: MergePlan, args: Arguments, context: Context): Promise<number> {
  const dryRun = args.has('dry-run')
  const conflicts = plan.rows.filter(({ result }) => result === 'conflict').length
  const refused = !dryRun && conflicts > 0 && !args.has('skip-conflicts')
  const rows: MergeRow[] = []
  if (dryRun || refused) rows.push(...plan.rows)
  else {
    const { people } = await context.open()
    for await (const row of people.merging.merge(plan, { breakGlass: breakGlassOf(context) }, BY)) {
      rows.push(row)
      context.progress(rows.length / plan.rows.length)
    }
  }
  const counts: Record<string, number> = {}
  for (const { result } of rows) counts[result] = (counts[result] ?? 0) + 1
  const written = !dryRun && !refused
  await print({ rows, counts, written }, args, context)
  if (refused) context.err('nothing was written: settle the conflicts, or merge all others with --skip-conflicts')
  // what came between since the rows were planned was not accepted by anybody
  const unsettled = (counts['conflict'] ?? 0) > conflicts
  return (dryRun && conflicts > 0) || refused || unsettled ? 1 : 0
}

interface Outcome {
  readonly rows: readonly MergeRow[]
  readonly counts: Readonly<Record<string, number>>
  readonly written: boolean
}

async function print({ rows, counts, written }: Outcome, args: Arguments, context: Context): Promise<void> {
  const result = args.flag('result')
  const flat = rows.map(flatten)
  const csv = () => [csvLine(COLUMNS), ...flat.map((row) => csvLine(COLUMNS.map((column) => row[column] ?? '')))]
  if (result !== undefined) {
    const lines = extname(result).toLowerCase() === '.csv' ? csv() : flat.map((row) => JSON.stringify(row))
    await writeFile(resolve(result), lines.map((line) => `${line}\n`).join(''), { mode: 0o600 })
  }
  context.print({ dry_run: args.has('dry-run'), written, counts, rows: result === undefined ? flat : [] }, () =>
    result === undefined ? csv() : [],
  )
  if (context.json) return
  // on the error stream, so that the rows can be piped into a file
  const reasons = new Set(
    rows.flatMap(({ result: is, reason }) => (is === 'conflict' ? (reason ?? '').split(' ') : [])),
  )
  for (const reason of reasons)
    if (Object.hasOwn(CONFLICTS, reason)) context.err(`${reason}: ${CONFLICTS[reason as keyof typeof CONFLICTS]}`)
  const said = Object.entries(counts).map(([is, count]) => `${count} ${is}`)
  context.err(`${said.join(', ') || 'nobody'}${args.has('dry-run') ? ' (dry run: nothing was written)' : ''}`)
}

const flatten = ({ result, way, reason, from, into }: MergeRow): Partial<Record<(typeof COLUMNS)[number], string>> => ({
  result,
  ...(way === undefined ? {} : { way }),
  ...(reason === undefined ? {} : { reason }),
  ...(from ? { from: from.username, from_id: from.id } : {}),
  ...(into ? { into: into.username, into_id: into.id } : {}),
})
