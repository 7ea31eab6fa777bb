/** `report prompts`: how often people are asked for proof, and what asked them. */

import { policiesOf } from '#access'
import { type By, createFriction, type Friction } from '#access/reports'
import type { Policies } from '#policy'
import { sinceOf } from '../moment.ts'
import type { Verb } from '../verb.ts'
import { policiesNow } from './policy-folder.ts'
import { spreadWords } from './replay-lines.ts'
import { reportApps } from './report-apps.ts'

const BY: Readonly<Record<string, By>> = { day: 'day', shift: 'shift' }

const prompts: Verb = {
  words: ['report', 'prompts'],
  usage: 'report prompts [--since 7d] [--by day|shift]',
  summary: 'how often people are asked for proof per day, or per session, and which rule and lifetime asked them',
  options: ['since', 'by'],
  async run(args, context) {
    const since = sinceOf(args, context)
    const by = Object.hasOwn(BY, args.flag('by') ?? 'day') ? BY[args.flag('by') ?? 'day'] : undefined
    if (by === undefined) context.err('--by: expected day or shift')
    if (since === undefined || by === undefined) return 2
    const { receipts, versions } = await context.open()
    const now = await policiesNow(context)
    if (!now) return 2
    const stored = new Map<string, Policies>([[now.version, now]])
    const friction = createFriction({ since, by, policiesOf: (version) => stored.get(version) ?? now })
    for await (const page of receipts.since(since)) {
      for (const version of new Set(page.receipts.map(({ policies }) => policies)))
        if (!stored.has(version)) stored.set(version, (await policiesOf(versions, version)) ?? now)
      friction.add(page)
      context.progress(page.done)
    }
    const found = friction.end()
    context.print({ since, by, ...found }, () => lines(found, by))
    return 0
  },
}

function lines({ prompts: spread, causes, unanswered }: Friction, by: By): string[] {
  const unit = by === 'day' ? 'person and day' : 'session'
  return [
    `${spread.total} prompts in ${spread.count} ${by === 'day' ? 'days of people' : 'sessions'}; per ${unit} ${spreadWords(spread)}`,
    ...(unanswered > 0 ? [`${unanswered} more were not answered`] : []),
    ...causes.map(({ prompts: count, app, policy, rule, because, of }) =>
      [
        String(count).padStart(8),
        app ?? '(no app)',
        `${policy ?? 'no policy'} › ${rule ?? 'no rule'}`,
        because === 'no-session'
          ? 'sign-in'
          : because === 'app-asked'
            ? 'the app asked'
            : `${because} ${of ?? ''}`.trim(),
      ].join('  '),
    ),
  ]
}

export const reportVerbs: readonly Verb[] = [prompts, reportApps]
