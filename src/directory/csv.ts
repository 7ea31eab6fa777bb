/** CSV (RFC 4180) and JSON Lines, read piece by piece, and CSV written so that no spreadsheet runs it. */

export interface TextRow {
  /** Where it begins in the file, from 1. */
  readonly line: number
  readonly cells: readonly string[]
  /** What is wrong with its form; then the cells are not to be used. */
  readonly problem?: string
}

/** A row longer than this is refused: one lost quote must not collect the rest of a file. */
const LONGEST_ROW = 64 * 1024

export type Chunks = string | Iterable<string> | AsyncIterable<string>

// a string is an iterable of its characters, which is not what anybody means here
const pieces = (chunks: Chunks): Iterable<string> | AsyncIterable<string> =>
  typeof chunks === 'string' ? [chunks] : chunks

/** Rows of a CSV text. The separator is a comma, or a semicolon where the first line has no comma (Excel in much of Europe). */
export async function* readCsv(chunks: Chunks): AsyncGenerator<TextRow> {
  const reader = createCsvReader()
  for await (const chunk of pieces(chunks)) yield* reader.push(chunk)
  yield* reader.end()
}

function createCsvReader() {
  let separator: string | undefined
  let state: 'start' | 'plain' | 'quoted' | 'quote-in-quoted' | 'skip' = 'start'
  let cells: string[] = []
  let cell = ''
  let line = 1
  let began = 1
  let size = 0
  let problem: string | undefined
  let afterReturn = false
  let first = true
  let heldBack = ''

  function finish(): TextRow | undefined {
    if (state !== 'skip') cells.push(cell)
    const row: TextRow = { line: began, cells, ...(problem === undefined ? {} : { problem }) }
    const blank = cells.length === 1 && cells[0]!.trim() === '' && problem === undefined
    cells = []
    cell = ''
    size = 0
    problem = undefined
    state = 'start'
    began = line
    return blank ? undefined : row
  }

  function* read(text: string): Generator<TextRow> {
    for (const character of text) {
      const newline = character === '\n' || character === '\r'
      if (character === '\n' && afterReturn) {
        afterReturn = false
        if (state === 'quoted') cell += character
        continue
      }
      afterReturn = character === '\r'
      if (newline) line++
      if (state === 'skip') {
        if (newline) yield finish()!
        continue
      }
      if (++size > LONGEST_ROW) {
        ;[problem, state, cells, cell] = ['row-too-long', 'skip', [], '']
        continue
      }
      if (state === 'quoted') {
        if (character === '"') state = 'quote-in-quoted'
        else cell += character
      } else if (newline) {
        const row = finish()
        if (row) yield row
      } else if (state === 'quote-in-quoted' && character === '"') {
        cell += '"'
        state = 'quoted'
      } else if (character === separator) {
        cells.push(cell)
        cell = ''
        state = 'start'
      } else if (state === 'start' && character === '"') state = 'quoted'
      else {
        // RFC 4180 §2.5–2.7: quotes go around a whole cell and are doubled inside
        if (state === 'quote-in-quoted' || character === '"') problem = 'quotes-invalid'
        cell += character
        state = 'plain'
      }
    }
  }

  /** The separator is known when the first line has ended. */
  function* push(chunk: string): Generator<TextRow> {
    let text = chunk
    if (separator === undefined) {
      heldBack += chunk
      if (first) heldBack = heldBack.replace(/^\ufeff/, '')
      first = heldBack === ''
      const end = heldBack.search(/[\r\n]/)
      if (end < 0 && heldBack.length <= LONGEST_ROW) return
      decide(end < 0 ? heldBack : heldBack.slice(0, end))
      text = heldBack
      heldBack = ''
    }
    yield* read(text)
  }

  const decide = (header: string) => {
    separator = !header.includes(',') && header.includes(';') ? ';' : ','
  }

  function* end(): Generator<TextRow> {
    if (separator === undefined) {
      decide(heldBack)
      yield* read(heldBack)
    }
    if (state === 'quoted') problem = 'quotes-invalid'
    if (size === 0 && state !== 'skip') return
    const row = finish()
    if (row) yield row
  }

  return { push, end }
}

/** Lines with something on them; each is the only cell of its row. */
export async function* readLines(chunks: Chunks): AsyncGenerator<TextRow> {
  let rest = ''
  let line = 0
  let tooLong = false
  const one = (text: string): TextRow[] => {
    line++
    const problem = tooLong || text.length > LONGEST_ROW ? 'row-too-long' : undefined
    tooLong = false
    if (problem === undefined && text.trim() === '') return []
    return [
      {
        line,
        cells: problem ? [] : [line === 1 ? text.replace(/^\ufeff/, '') : text],
        ...(problem ? { problem } : {}),
      },
    ]
  }
  for await (const chunk of pieces(chunks)) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const text of lines) yield* one(text)
    if (rest.length > LONGEST_ROW) [rest, tooLong] = ['', true]
  }
  if (rest !== '' || tooLong) yield* one(rest)
}

/**
 * One line of CSV. ATTACK: a spreadsheet runs a cell that begins with = + - @ TAB or CR as a formula, so such a cell gets
 * an apostrophe in front; so does one that begins with an apostrophe and one of these, so that reading it back is exact.
 */
export const csvLine = (cells: readonly string[], separator = ','): string =>
  cells.map((cell) => quote(neutral(cell), separator)).join(separator)

const neutral = (cell: string): string => (/^'*[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell)

/** What `csvLine` made of a cell, undone. */
export const plainCell = (cell: string): string => (/^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell)

const quote = (cell: string, separator: string): string =>
  /["\r\n]/.test(cell) || cell.includes(separator) || cell !== cell.trim() ? `"${cell.replaceAll('"', '""')}"` : cell
