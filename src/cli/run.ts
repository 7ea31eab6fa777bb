/** Runs one command and answers its exit code: 0 done, 1 the answer is no, 2 wrong use or cannot run. */
import { type Clock, systemClock } from '#core/clock'
import { Refusal } from '#core/refusal'
import { parseArguments } from './arguments.ts'
import { createProgress } from './progress.ts'
import { openQuestions, type Terminal } from './questions.ts'
import type { Context, House, Verb } from './verb.ts'

/** The context before anything is opened. */
type Opening = Omit<Context, 'open' | 'openAt' | 'openExisting'>

export interface RunOptions {
  readonly words: readonly string[]
  readonly verbs: readonly Verb[]
  /** Opens the rooms on the configured storage. */
  openHouse(context: Opening): Promise<House & { close(): Promise<void> }>
  /** The first file without which the rooms would be opened on nothing. */
  missing?(context: Opening): string | undefined
  readonly out?: (line: string) => void
  readonly err?: (line: string) => void
  readonly clock?: Clock
  /** Where progress is shown. */
  readonly terminal?: { write(text: string): unknown } | undefined
  /** Where somebody can be asked. */
  readonly keyboard?: Terminal | undefined
}

export async function runCommand(options: RunOptions): Promise<number> {
  const { words, verbs, out = console.log, err = console.error, clock = systemClock } = options
  if (words.length === 0 || words[0] === 'help' || words[0] === '--help') {
    for (const line of overview(verbs)) out(line)
    return words.length === 0 ? 2 : 0
  }
  const parsed = parseArguments(words, verbs)
  if ('wrong' in parsed) {
    err(parsed.wrong)
    return 2
  }
  const { verb, args } = parsed
  if (args.has('help')) {
    out(`portico ${verb.usage}`)
    out(verb.summary)
    return 0
  }
  const json = args.has('json')
  const progress = createProgress(options.terminal)
  const immediate = {
    json,
    out,
    err,
    print(value: unknown, human: () => string | readonly string[]) {
      progress.clear()
      if (json) out(JSON.stringify(value))
      else for (const line of [human()].flat()) out(line)
    },
  }
  const answered = await verb.atOnce?.(args, immediate)
  if (answered !== undefined) return answered
  // loaded when it is needed: the schema of the settings takes longer than some commands
  const { formatProblem, loadSettings } = await import('#config')
  const loaded = loadSettings(args.flag('config'))
  const ownWay = verb.words[0] === 'config'
  if (!loaded.settings && !ownWay) {
    for (const problem of loaded.problems) err(formatProblem(problem))
    return 2
  }
  const context = {
    ...immediate,
    settings: loaded.settings!,
    loaded,
    clock,
    folder: loaded.folder,
    progress: progress.show,
    questions: options.keyboard && !json ? () => openQuestions(options.keyboard!) : undefined,
  }
  let house: (House & { close(): Promise<void> }) | undefined
  const open = async () => {
    // who looks in the wrong place must not leave an empty database there
    const missing = verb.creates || house ? undefined : options.missing?.(context)
    if (missing !== undefined) throw new Refusal('database-missing', `there is no ${missing}`)
    house ??= await options.openHouse(context)
    return house
  }
  /** Another database with everything else of the settings; whoever asks for it closes it. */
  const openAt = (url: string) =>
    options.openHouse({ ...context, settings: { ...context.settings, storage: { url }, state: {} } } as Opening)
  const openExisting = async () => (house || options.missing?.(context) === undefined ? open() : undefined)
  try {
    return await verb.run(args, { ...context, open, openAt, openExisting })
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    err(`${error.code}: ${error.say}${error.detail ? ` (${error.detail})` : ''}`)
    return 2
  } finally {
    progress.clear()
    await house?.close()
  }
}

function overview(verbs: readonly Verb[]): string[] {
  const width = Math.max(...verbs.map((verb) => verb.words.join(' ').length))
  const rows = verbs.map((verb) => `  ${verb.words.join(' ').padEnd(width)}  ${verb.summary}`)
  return [
    'portico: sign in once, walk into every app',
    '',
    ...rows,
    '',
    'portico COMMAND --help tells more; every command takes --config FILE and --json',
  ]
}
