/** `directories test`: whether a directory of the settings can be asked, step by step. */
import type { TestStep } from '#directory'
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
    context.print(
      { directory: id, ok, steps: steps.map((step) => ({ ...step, ms: Math.round(step.ms * 10) / 10 })) },
      () => [...steps.flatMap(lines), ok ? 'ok' : 'failed'],
    )
    return ok ? 0 : 1
  },
}

const lines = ({ step, ok, ms, say, fix }: TestStep): string[] => [
  `${ok ? 'ok  ' : 'FAIL'} ${step.padEnd(8)} ${ms.toFixed(0).padStart(5)} ms  ${say}`,
  ...(fix === undefined ? [] : [`     to fix: ${fix}`]),
]

export const directoriesVerbs: Verb[] = [testDirectory]
