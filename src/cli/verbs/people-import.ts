/** `people import`: a file in, the same file with `result` and `reason` out. */
import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { csvLine, type ImportedRow } from '#directory'
import type { Arguments, Context, Verb } from '../verb.ts'
import { BY } from './person-lines.ts'

export const IMPORT_COLUMNS = Object.freeze([
  'username',
  'name',
  'given_name',
  'family_name',
  'mail',
  'groups',
  'organisation',
  'language',
  'password',
  'disabled',
])

const FORMATS: Readonly<Record<string, 'csv' | 'jsonl'>> = Object.freeze({
  '.csv': 'csv',
  '.txt': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  csv: 'csv',
  jsonl: 'jsonl',
})

const MOST_NAMED = 5

export const importPeople: Verb = {
  words: ['people', 'import'],
  usage: 'people import FILE [--format csv|jsonl] [--directory ID] [--dry-run] [--allow-administrators]',
  summary: `add and change local people from CSV or JSON Lines (${IMPORT_COLUMNS.join(', ')}); several groups are separated by ;`,
  creates: true,
  options: ['format', 'directory'],
  switches: ['dry-run', 'allow-administrators'],
  async run(args, context) {
    const [name, ...more] = args.positional
    if (name === undefined || more.length > 0) {
      context.err(`usage: portico ${importPeople.usage}`)
      return 2
    }
    const format = FORMATS[args.flag('format') ?? extname(name).toLowerCase()]
    if (!format) {
      context.err('format-unknown: say --format csv or --format jsonl')
      return 2
    }
    const file = resolve(name)
    try {
      await access(file)
    } catch (error) {
      context.err(`file-unreadable: ${name}: ${(error as NodeJS.ErrnoException).code}`)
      return 2
    }
    return write(args, context, format, file)
  },
}

async function write(args: Arguments, context: Context, format: 'csv' | 'jsonl', file: string): Promise<number> {
  const { people } = await context.open()
  const directory = args.flag('directory')
  const dryRun = args.has('dry-run')
  const options = {
    format,
    dryRun,
    allowAdministrators: args.has('allow-administrators'),
    ...(directory === undefined ? {} : { directory }),
  }
  const counts = { added: 0, changed: 0, unchanged: 0, refused: 0 }
  const rows: ImportedRow[] = []
  const someLacking: string[] = []
  let lacking = 0
  const table =
    format === 'csv'
      ? csvTable(context)
      : { row: (row: ImportedRow) => context.out(JSON.stringify(given(row))), end() {} }
  for await (const row of people.import(createReadStream(file, 'utf8'), options, BY)) {
    counts[row.result]++
    if (row.withoutPassword) {
      lacking++
      if (someLacking.length < MOST_NAMED) someLacking.push(row.input['username'] ?? '')
    }
    if (context.json) rows.push(row)
    else table.row(row)
    showProgress(Object.values(counts).reduce((a, b) => a + b))
  }
  showProgress(0)
  if (context.json) context.print({ dry_run: dryRun, ...counts, without_password: lacking, rows }, () => [])
  else table.end()
  const said = Object.entries(counts).map(([result, count]) => `${count} ${result}`)
  // on the error stream, so that the result can be piped into a file and imported again
  if (!context.json) context.err(`${said.join(', ')}${dryRun ? ' (dry run: nothing was written)' : ''}`)
  if (!context.json && lacking > 0) context.err(lackingLine(lacking, someLacking))
  return counts.refused > 0 ? 1 : 0
}

/** On names that a terminal must not obey. */
function lackingLine(count: number, some: readonly string[]): string {
  const names = some.map((one) => one.replace(/\p{Cc}/gu, '')).join(', ')
  const more = count > some.length ? ` and ${count - some.length} more` : ''
  return `${count} without a password, who cannot sign in with one yet: ${names}${more}; give them one with \`people password USERNAME --password-stdin\`, or in a column \`password\` of the file`
}

const given = ({ input, result, reason }: ImportedRow) => ({
  ...input,
  result,
  ...(reason === undefined ? {} : { reason }),
})

/** The columns of the file, known from the first row that could be read; those before it wait. */
function csvTable(context: Context) {
  let columns: readonly string[] | undefined
  let waiting: ImportedRow[] = []
  const line = ({ input, result, reason }: ImportedRow) =>
    context.out(csvLine([...columns!.map((column) => input[column] ?? ''), result, reason ?? '']))
  const begin = (names: readonly string[]) => {
    columns = names
    context.out(csvLine([...names, 'result', 'reason']))
    waiting.forEach(line)
    waiting = []
  }
  return {
    row(row: ImportedRow) {
      if (columns === undefined && Object.keys(row.input).length > 0) begin(Object.keys(row.input))
      if (columns === undefined) waiting.push(row)
      else line(row)
    },
    end() {
      if (columns === undefined) begin([])
    },
  }
}

/** On a terminal only. */
function showProgress(count: number): void {
  if (!process.stderr.isTTY) return
  if (count === 0) process.stderr.write('\r\u001b[K')
  else if (count % 500 === 0) process.stderr.write(`\r${count} rows`)
}
