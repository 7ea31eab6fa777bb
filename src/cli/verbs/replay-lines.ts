/** A replay as lines that a person can read. */
import { CHANGES, DIMENSIONS, type Replayed, type Tally } from '#access/reports'

type Change = (typeof CHANGES)[number]

const WORDS: Readonly<Record<Change, string>> = {
  newly_denied: 'newly denied',
  newly_prompted: 'newly prompted',
  no_longer_prompted: 'no longer prompted',
  newly_allowed: 'newly allowed',
  unchanged: 'unchanged',
  not_comparable: 'not comparable',
}
const WHY = {
  'facts-gone': 'people who were removed, or receipts that cannot be read',
  unreadable: 'receipts that do not even tell what was decided',
  'policy-missing': 'the candidate has no policy of that name, so nobody would get in',
  'facts-lacking': 'the candidate asks for facts that nobody gathered then',
} as const

const WIDTH = 20
/** Rows of one kind, those with the most changes first. */
const MOST_ROWS = 30

export const changeWords = (change: Change): string => WORDS[change].padEnd(WIDTH)

/** `12  0.03 %` */
export const part = (count: number, of: number): string =>
  `${count}${of === 0 ? '' : ` (${((count / of) * 100).toFixed(2)} %)`}`

export const spreadWords = ({ mean, median, p95 }: { mean: number; median: number; p95: number }): string =>
  `mean ${mean.toFixed(2)}, median ${median}, p95 ${p95}`

export function replayLines(
  found: Replayed,
  about: {
    readonly since: number
    readonly version: string
    readonly names: ReadonlyMap<string, string>
    readonly most: number
  },
): string[] {
  const { total, prompts, receipts, not_comparable: reasons } = found
  const since = new Date(about.since).toISOString().slice(0, 16)
  return [
    `${total.openings} openings in ${receipts} receipts since ${since}Z, decided again by ${about.version.slice(0, 19)}`,
    ...CHANGES.map((change) => `  ${changeWords(change)} ${part(total[change], total.openings)}`),
    ...(found.asked_for_more > 0
      ? [`  of those newly prompted, ${found.asked_for_more} were asked anyway, for less`]
      : []),
    ...(Object.keys(WHY) as (keyof typeof WHY)[])
      .filter((why) => reasons[why] > 0)
      .map((why) => `  not comparable: ${reasons[why]}: ${WHY[why]}`),
    `prompts per person and day: before ${spreadWords(prompts.before)}; after ${spreadWords(prompts.after)}`,
    ...DIMENSIONS.flatMap((dimension) => {
      const rows = rowsOf(found.by[dimension]).slice(0, dimension === 'person' ? about.most : MOST_ROWS)
      return rows.length === 0
        ? []
        : [`by ${dimension}`, ...rows.map(([key, tally]) => `  ${about.names.get(key) ?? key}: ${changesOf(tally)}`)]
    }),
  ]
}

const changesIn = (tally: Tally): number => tally.openings - tally.unchanged

const rowsOf = (tallies: ReadonlyMap<string, Tally>): [string, Tally][] =>
  [...tallies].filter(([, tally]) => changesIn(tally) > 0).sort(([, a], [, b]) => changesIn(b) - changesIn(a))

const changesOf = (tally: Tally): string =>
  `${CHANGES.filter((change) => change !== 'unchanged' && tally[change] > 0)
    .map((change) => `${WORDS[change]} ${tally[change]}`)
    .join(', ')} of ${tally.openings}`
