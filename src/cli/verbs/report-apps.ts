/** `report apps`: how far each app has come, and how long that took. */
import { type Board, boardOf } from '#access/reports'
import { days, hours, type Instant, type Millis, minutes } from '#core/clock'
import { formatDuration } from '#core/duration'
import type { Diagnosed } from '#diagnosis'
import { sinceOf } from '../moment.ts'
import type { Verb } from '../verb.ts'

const LATELY = '30d'

export const reportApps: Verb = {
  words: ['report', 'apps'],
  usage: 'report apps [--since 30d]',
  summary:
    'how far each app has come (registered, first sign-in, in use, idle, failing), how long that took, and who opens it',
  options: ['since'],
  async run(args, context) {
    const since = sinceOf(args, context, LATELY)
    if (since === undefined) return 2
    const { catalog, receipts, diagnosis } = await context.open()
    const apps = await catalog.apps.list()
    const failures = new Map<string, Instant>()
    for (const app of apps) {
      const open = (await diagnosis.ofApp(app)).filter((one) => isOpen(one) && one.lastAt >= since)
      if (open.length > 0) failures.set(app.id, Math.max(...open.map(({ lastAt }) => lastAt)))
    }
    const board = boardOf(apps, await receipts.appUses(since, context.progress), failures)
    context.print({ since, ...board }, () => lines(board, args.flag('since') ?? LATELY))
    return 0
  },
}

/** On none of these does it depend whether somebody gets in. */
const BESIDE = new Set(['groups', 'introspection', 'sign-out'])

const isOpen = ({ mendedAt, stage }: Diagnosed): boolean => mendedAt === undefined && !BESIDE.has(stage)

function lines({ apps, months }: Board, since: string): string[] {
  if (apps.length === 0) return ['no apps']
  const table = apps.map((app) => [
    app.id,
    app.stage,
    app.protocols.join('+'),
    app.owner ?? '-',
    day(app.registeredAt),
    app.lead === undefined ? '-' : roughly(app.lead),
    String(app.people),
    app.lastOpenedAt === undefined ? '-' : day(app.lastOpenedAt),
  ])
  const perMonth = months.map(({ month, registered, opened, lead }) => [
    month,
    String(registered),
    String(opened),
    lead === undefined ? '-' : roughly(lead),
  ])
  return [
    ...columns([['app', 'stage', 'protocol', 'owner', 'registered', 'lead', `people ${since}`, 'last'], ...table]),
    '',
    ...columns([['month', 'registered', 'first opened', 'lead (median)'], ...perMonth]),
  ]
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** In the unit that people would say: `40m`, `3h`, `12d`. */
function roughly(length: Millis): string {
  const unit = [days(1), hours(1), minutes(1)].find((one) => length >= one) ?? 1000
  return formatDuration(Math.floor(length / unit) * unit)
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  )
}
