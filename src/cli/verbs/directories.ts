/** `directories …`: which of the settings are down, whether one can be asked, step by step; and bringing it over. */
import type { DirectoryState, SyncReport, TestStep } from '#directory'
import type { Verb } from '../verb.ts'
import { BY } from './person-lines.ts'

const testDirectory: Verb = {
  words: ['directories', 'test'],
  usage: 'directories test ID [--user USERNAME]',
  summary: 'reach a directory step by step, and say what to fix',
  options: ['user'],
  async run(args, context) {
    const [id, ...more] = args.positional
    const known = context.settings.directories.map((directory) => directory.id)
    if (id === undefined || more.length > 0) {
      context.err(`usage: portico ${testDirectory.usage}; directories are ${known.join(', ')}`)
      return 2
    }
    const { people } = await context.open()
    const steps = await people.test(id, args.flag('user'))
    const ok = steps.every((step) => step.ok)
    const { state, since } = people.states().find((one) => one.id === id)!
    const down =
      state === 'down' || state === 'returning' ? { state, since: new Date(since!).toISOString() } : undefined
    context.print(
      { directory: id, ok, ...down, steps: steps.map((step) => ({ ...step, ms: Math.round(step.ms * 10) / 10 })) },
      () => [
        ...(down ? [`the servers found it ${STATES[down.state]} since ${down.since}`] : []),
        ...steps.flatMap(lines),
        ok ? 'ok' : 'failed',
      ],
    )
    return ok ? 0 : 1
  },
}

const lines = ({ step, ok, ms, say, fix }: TestStep): string[] => [
  `${ok ? 'ok  ' : 'FAIL'} ${step.padEnd(8)} ${ms.toFixed(0).padStart(5)} ms  ${say}`,
  ...(fix === undefined ? [] : [`     to fix: ${fix}`]),
]

const listDirectories: Verb = {
  words: ['directories', 'list'],
  usage: 'directories list',
  summary: 'the directories of the settings, and which of them are down, as the servers have seen it',
  async run(_args, context) {
    const { people } = await context.open()
    const rows = people.states().map(({ since, ...rest }) => ({
      ...rest,
      ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
    }))
    context.print(rows, () => rows.map(line))
    return 0
  },
}

const syncDirectory: Verb = {
  words: ['directories', 'sync'],
  usage: 'directories sync ID [--full] [--dry-run] [--most-gone PERCENT]',
  summary: 'bring the people of a directory over: who is new, who changed, and after a full one who is gone',
  options: ['most-gone'],
  switches: ['full', 'dry-run'],
  async run(args, context) {
    const [id, ...more] = args.positional
    const known = context.settings.directories.map((directory) => directory.id)
    if (id === undefined || more.length > 0) {
      context.err(`usage: portico ${syncDirectory.usage}; directories are ${known.join(', ')}`)
      return 2
    }
    const most = args.flag('most-gone')
    if (most !== undefined && !/^(?:\d{1,2}|100)$/.test(most)) {
      context.err('most-gone-invalid: --most-gone takes percent, 0 to 100')
      return 2
    }
    const { people } = await context.open()
    const dryRun = args.has('dry-run')
    const report = await people.sync(
      id,
      {
        full: args.has('full'),
        dryRun,
        ...(most === undefined ? {} : { mostGone: Number(most) }),
        progress: ({ read, added, changed }) =>
          context.progress(`${amount(read)} read, ${amount(added)} added, ${amount(changed)} changed`),
      },
      BY,
    )
    context.print({ directory: id, dry_run: dryRun, ...report, ms: Math.round(report.ms) }, () =>
      syncLines(id, report, dryRun),
    )
    return 0
  },
}

/** No command asks a directory for its state, so it knows of outages only. */
const STATES: Readonly<Record<DirectoryState['state'], string>> = {
  up: 'up',
  unknown: 'no outage known',
  down: 'down',
  returning: 'back, its people are judged anew',
}

const line = ({
  id,
  kind,
  state,
  since,
  degraded,
}: Omit<DirectoryState, 'since'> & { readonly since?: string }): string =>
  [
    id.padEnd(16),
    kind.padEnd(6),
    `${STATES[state]}${since === undefined ? '' : ` since ${since}`}`,
    ...(degraded ? [' (degraded mode is declared)'] : []),
  ].join(' ')

const amount = (count: number): string => count.toLocaleString('en')

function syncLines(id: string, report: SyncReport, dryRun: boolean): string[] {
  const { scope, resumed, read, ms } = report
  const what = scope === 'all' ? 'everybody was read' : 'who changed was read'
  const counts = (['added', 'changed', 'gone', 'unchanged', 'failed'] as const).map(
    (name) => `${name} ${amount(report[name])}`,
  )
  return [
    `${id}: ${what}, ${amount(read)} entries in ${(ms / 1000).toFixed(1)} s${resumed ? ', going on with a sync that was broken off' : ''}`,
    counts.join(', '),
    ...(dryRun ? ['dry run: nothing was written'] : []),
  ]
}

export const directoriesVerbs: Verb[] = [listDirectories, testDirectory, syncDirectory]
