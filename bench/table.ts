/** Lines of text in columns. */
import type { Verdict } from './verdict.ts'

export function table(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)]
}

export const targets = (verdicts: readonly Verdict[]): string[] =>
  table(
    ['target', 'wanted', 'is', ''],
    verdicts.map(({ what, wanted, is, met }) => [what, wanted, is, met ? 'met' : 'MISSED']),
  )
