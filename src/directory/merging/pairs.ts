/** A file of pairs: who is who, said by people who know. */
import type { Problem } from '#config'
import { plainCell, readCsv } from '../csv.ts'
import { usernameKey } from '../person.ts'

export interface Pair {
  /** The line of the file, from 1. */
  readonly line: number
  /** User names as they are compared. */
  readonly from: string
  readonly into: string
}

export interface PairsFile {
  readonly file: string
  readonly text: string
}

export const problemAt = (file: string, line: number, code: string, message: string): Problem => ({
  file,
  line,
  column: 1,
  code,
  message,
})

/** All that can be said of the file alone. Somebody who is there twice is a mistake, whichever row is the right one. */
export async function readPairs({ file, text }: PairsFile): Promise<{ pairs: Pair[]; problems: Problem[] }> {
  const pairs: Pair[] = []
  const problems: Problem[] = []
  const wrong = (line: number, code: string, message: string) => problems.push(problemAt(file, line, code, message))
  const seen = { from: new Map<string, number>(), into: new Map<string, number>() }
  let columns: { from: number; into: number } | undefined
  for await (const { line, cells, problem } of readCsv(text)) {
    if (problem !== undefined) {
      wrong(line, problem, 'the row is no CSV')
      continue
    }
    if (!columns) {
      const names = cells.map((cell) => cell.trim().toLowerCase())
      columns = { from: names.indexOf('from'), into: names.indexOf('into') }
      if (columns.from >= 0 && columns.into >= 0) continue
      wrong(line, 'header-invalid', 'expected a first line `from,into`')
      break
    }
    const [from, into] = [columns.from, columns.into].map((at) => usernameKey(plainCell(cells[at] ?? '')))
    if (from === undefined || into === undefined) {
      wrong(line, 'username-invalid', 'expected two user names')
      continue
    }
    for (const [side, key] of [
      ['from', from],
      ['into', into],
    ] as const) {
      const before = seen[side].get(key)
      if (before === undefined) seen[side].set(key, line)
      else wrong(line, 'duplicate-in-file', `line ${before} has the same \`${side}\``)
    }
    pairs.push({ line, from, into })
  }
  return { pairs, problems }
}
