/** `directories list`, and `directories test`: whether a directory of the settings can be asked, step by step. */
import type { DirectoryState, TestStep } from '#directory'
import type { Verb } from '../verb.ts'

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

export const directoriesVerbs: Verb[] = [listDirectories, testDirectory]
