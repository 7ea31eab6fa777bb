/** One row of an import file: from its cells to what it wants, or to the reason why it is refused. */
import { nearest } from '#core/nearest'
import { plainCell, type TextRow } from './csv.ts'
import {
  ADMINISTRATORS,
  fieldProblem,
  groupProblem,
  isAdministrators,
  type Language,
  type PersonChanges,
  usernameKey,
} from './person.ts'

export const COLUMNS = Object.freeze([
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
] as const)
type Column = (typeof COLUMNS)[number]

/** What a result file has besides, so that it can be corrected and imported again. */
const OURS: ReadonlySet<string> = new Set(['result', 'reason', 'row'])

/** Cells by column, without the password. */
export type RowInput = Readonly<Record<string, string>>

export interface Draft {
  readonly key: string
  /** Only what the row has a cell for; an empty cell clears. */
  readonly fields: PersonChanges & { readonly username: string }
  readonly groups: readonly string[] | undefined
  readonly disabled: boolean | undefined
  readonly password: string | undefined
}

/** `code: sentence` */
export type Reason = string

const reason = (code: string, say: string): Reason => `${code}: ${say}`

const FORMS: Readonly<Record<string, Reason>> = Object.freeze({
  'quotes-invalid': reason('quotes-invalid', 'quotes go around a whole cell, and a quote inside is written twice'),
  'row-too-long': reason('row-too-long', 'a row has at most 65536 characters; is a quote missing?'),
})

/** The columns of a CSV file, or what is wrong with its first line. */
export function readHeader(row: TextRow): readonly string[] | Reason {
  if (row.problem) return FORMS[row.problem] ?? row.problem
  const header = row.cells.map((cell) => cell.trim().toLowerCase())
  const unknown = header.find((name) => !isColumn(name) && !OURS.has(name))
  if (unknown !== undefined) return unknownColumn(unknown)
  const twice = header.find((name, i) => header.indexOf(name) !== i)
  if (twice !== undefined) return reason('column-twice', `the column ${twice} is there twice`)
  if (!header.includes('username'))
    return reason(
      'column-missing',
      `the first line names the columns; username is missing; known are ${COLUMNS.join(', ')}`,
    )
  return header
}

const isColumn = (name: string): name is Column => COLUMNS.includes(name as Column)

function unknownColumn(name: string): Reason {
  const near = nearest(name, COLUMNS)
  return reason(
    'column-unknown',
    near
      ? `there is no such column; did you mean ${near}?`
      : `there is no such column; known are ${COLUMNS.join(', ')}`,
  )
}

type Cells = { cells: ReadonlyMap<Column, string> } | { refused: Reason }

export function cellsOfCsv(row: TextRow, header: readonly string[]): Cells {
  if (row.problem) return { refused: FORMS[row.problem] ?? row.problem }
  if (row.cells.length !== header.length)
    return {
      refused: reason('cells-wrong', `this row has ${row.cells.length} cells, the first line has ${header.length}`),
    }
  return {
    cells: new Map(header.flatMap((name, i) => (isColumn(name) ? [[name, plainCell(row.cells[i]!)] as const] : []))),
  }
}

export function cellsOfJson(row: TextRow): Cells {
  if (row.problem) return { refused: FORMS[row.problem] ?? row.problem }
  let value: unknown
  try {
    value = JSON.parse(row.cells[0]!)
  } catch {
    return { refused: reason('json-invalid', 'this line is not JSON') }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { refused: reason('json-invalid', 'this line is not one JSON object') }
  const cells = new Map<Column, string>()
  for (const [name, cell] of Object.entries(value)) {
    if (OURS.has(name)) continue
    if (!isColumn(name)) return { refused: unknownColumn(name) }
    const text = cellText(name, cell)
    if (text === undefined) return { refused: reason('json-invalid', `${name} has the wrong type`) }
    cells.set(name, text)
  }
  return { cells }
}

function cellText(name: Column, cell: unknown): string | undefined {
  if (typeof cell === 'string') return cell
  if (cell === null) return ''
  if (name === 'disabled' && typeof cell === 'boolean') return String(cell)
  if (
    name === 'groups' &&
    Array.isArray(cell) &&
    cell.every((group) => typeof group === 'string' && !group.includes(';'))
  )
    return cell.join(';')
  return undefined
}

const YES: ReadonlySet<string> = new Set(['true', 'yes', '1'])
const NO: ReadonlySet<string> = new Set(['false', 'no', '0'])

/** What the row wants, as far as that can be judged without looking anybody up. */
export function draftOf(cells: ReadonlyMap<Column, string>, organisationRoot: string | undefined): Draft | Reason {
  const cell = (name: Column): string | undefined => cells.get(name)?.trim().normalize('NFC')
  if ([...cells.values()].some((text) => text.includes('\ufffd')))
    return reason('encoding-invalid', 'this row is not UTF-8; save the file as UTF-8')
  const username = cell('username') ?? ''
  if (username === '') return reason('username-missing', 'this row has no user name')
  const fields: Draft['fields'] = {
    username,
    ...(cells.has('name') ? { name: cell('name')! } : {}),
    ...(cells.has('given_name') ? { givenName: cell('given_name') } : {}),
    ...(cells.has('family_name') ? { familyName: cell('family_name') } : {}),
    ...(cells.has('mail') ? { mail: cell('mail') } : {}),
    ...(cells.has('organisation') ? { organisation: cell('organisation') } : {}),
    ...(cells.has('language') ? { language: (cell('language') || undefined) as Language | undefined } : {}),
  }
  const problem = fieldProblem(fields, organisationRoot)
  const key = usernameKey(username)
  if (problem || key === undefined)
    return problem ? reason(...problem) : reason('username-invalid', 'this is not a user name')
  const groups = cells.has('groups')
    ? [
        ...new Set(
          cell('groups')!
            .split(';')
            .map((group) => group.trim())
            .filter(Boolean),
        ),
      ].sort()
    : undefined
  for (const group of groups ?? []) {
    const wrong = groupProblem(group)
    if (wrong) return reason(...wrong)
    if (isAdministrators(group) && group !== ADMINISTRATORS)
      return reason('group-invalid', `a group that only looks like ${ADMINISTRATORS} is refused`)
  }
  // an empty cell is no statement: a column left blank must not switch anybody on again
  const flag = cell('disabled')?.toLowerCase() || undefined
  if (flag !== undefined && !YES.has(flag) && !NO.has(flag))
    return reason('disabled-invalid', 'disabled is true or false')
  return {
    key,
    fields,
    groups,
    disabled: flag === undefined ? undefined : YES.has(flag),
    password: cells.get('password') || undefined,
  }
}

/** The row as it is given back. A password is never written anywhere a second time. */
export const inputOf = (cells: ReadonlyMap<Column, string>): RowInput =>
  Object.fromEntries([...cells].map(([name, cell]) => [name, name === 'password' ? '' : cell]))
