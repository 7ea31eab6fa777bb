/** `policy replay` and `policy report`: the past decided again, by a candidate or with a rule in force that only reports. */
import {
  CHANGES,
  createReplay,
  createReported,
  DIMENSIONS,
  type Replayed,
  type ReportedRule,
  type Tally,
} from '#access/reports'
import type { Policies } from '#policy'
import { sinceOf } from '../moment.ts'
import type { Arguments, Context, House, Verb } from '../verb.ts'
import { policiesInForce } from './policy-folder.ts'
import { changeWords, part, replayLines, spreadWords } from './replay-lines.ts'

type ReadPolicies = (args: Arguments, context: Context) => Policies | undefined

const MOST_PEOPLE = 20

/** `0.5%` as 0.005; undefined for anything else. */
function shareOf(text: string): number | undefined {
  const percent = /^\d{1,3}(\.\d{1,6})?%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number.NaN
  return percent <= 1 ? percent : undefined
}

export const replayVerb = (readPolicies: ReadPolicies): Verb => ({
  words: ['policy', 'replay'],
  usage: 'policy replay [--policies DIR] [--since 7d] [--app ID] [--max-newly-denied 0.5%] [--names]',
  summary: 'decide the past again by the policy files: who would be denied, or asked, who was not',
  options: ['policies', 'since', 'app', 'max-newly-denied'],
  switches: ['names'],
  async run(args, context) {
    const since = sinceOf(args, context)
    const written = args.flag('max-newly-denied')
    const most = written === undefined ? undefined : shareOf(written)
    if (written !== undefined && most === undefined) context.err('--max-newly-denied: expected a share like 0.5%')
    if (since === undefined || (written !== undefined && most === undefined)) return 2
    const candidate = readPolicies(args, context)
    if (!candidate) return 2
    const house = await context.open()
    const replay = createReplay({ candidate, since, app: args.flag('app') })
    for await (const page of house.receipts.since(since)) {
      replay.add(page)
      context.progress(page.done)
    }
    const found = replay.end()
    // an app whose policy is gone lets nobody in, though there is nothing to decide by
    const denied = found.total.newly_denied + found.not_comparable['policy-missing']
    const share = found.total.openings === 0 ? 0 : denied / found.total.openings
    const ok = most === undefined || share <= most
    const names = args.has('names') ? await namesOf(house, found) : new Map<string, string>()
    context.print(
      { ok, since, candidate: candidate.version, ...jsonOf(found, names), newly_denied_share: share },
      () => [
        ...replayLines(found, { since, version: candidate.version, names, most: MOST_PEOPLE }),
        ...(ok ? [] : [`newly denied: ${part(denied, found.total.openings)} is more than ${written}`]),
      ],
    )
    return ok ? 0 : 1
  },
})

const changed = (tally: Tally): boolean => tally.openings !== tally.unchanged

/** People only where something changes for them, and by id unless names were asked for. */
const jsonOf = ({ by, ...found }: Replayed, names: ReadonlyMap<string, string>) => ({
  ...found,
  by: Object.fromEntries(
    DIMENSIONS.map((dimension) => [
      dimension,
      Object.fromEntries(
        [...by[dimension]]
          .filter(([, tally]) => dimension !== 'person' || changed(tally))
          .map(([key, tally]) => [dimension === 'person' ? (names.get(key) ?? key) : key, tally]),
      ),
    ]),
  ),
})

async function namesOf({ people }: House, { by }: Replayed): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  for (const [id, tally] of by.person) {
    const person = changed(tally) ? await people.byId(id) : undefined
    if (person) names.set(id, person.username)
  }
  return names
}

export const reportVerb = (readPolicies: ReadPolicies): Verb => ({
  words: ['policy', 'report'],
  usage: 'policy report [--since 7d] [--policies DIR]',
  summary: 'what rules with `mode: report` would have done, had they been in force',
  options: ['since', 'policies'],
  async run(args, context) {
    const since = sinceOf(args, context)
    if (since === undefined) return 2
    const given = args.flag('policies') === undefined ? await policiesInForce(context) : undefined
    const policies = given ?? readPolicies(args, context)
    if (!policies) return 2
    const { receipts } = await context.open()
    const reported = createReported({ policies, since })
    for await (const page of receipts.since(since)) {
      reported.add(page)
      context.progress(page.done)
    }
    const found = reported.end()
    context.print(
      found.map(({ changes, ...rule }) => ({ ...rule, changes: jsonOf(changes, new Map()) })),
      () => (found.length === 0 ? 'no rule has `mode: report`' : found.flatMap(reportedLines)),
    )
    return 0
  },
})

function reportedLines({ policy, rule, line, matched, perhaps, changes }: ReportedRule): string[] {
  const { total, prompts } = changes
  return [
    `${policy} › ${rule}  (${line})`,
    `  matched ${matched}${perhaps > 0 ? `, perhaps ${perhaps} more` : ''} of ${changes.receipts} decisions`,
    ...CHANGES.filter((change) => change !== 'unchanged' && total[change] > 0).map(
      (change) => `  ${changeWords(change)} ${part(total[change], total.openings)} of ${total.openings} openings`,
    ),
    `  prompts per person and day: ${spreadWords(prompts.before)}; with it ${spreadWords(prompts.after)}`,
  ]
}
