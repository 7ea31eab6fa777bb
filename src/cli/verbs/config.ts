import { formatProblem, settingsJsonSchema, showSettings } from '#config'
import type { Verb } from '../verb.ts'

export const configVerbs: readonly Verb[] = [
  {
    words: ['config', 'check'],
    usage: 'config check',
    summary: 'check the settings; prints all problems as file:line:column code message',
    async run(_args, { loaded, print }) {
      print(loaded.problems, () =>
        loaded.problems.length === 0 ? 'settings are fine' : loaded.problems.map(formatProblem),
      )
      return loaded.problems.length === 0 ? 0 : 1
    },
  },
  {
    words: ['config', 'show'],
    usage: 'config show [--origin]',
    summary: 'print every setting, secrets masked; --origin says where each came from',
    switches: ['origin'],
    async run(args, { loaded, print, err }) {
      if (!loaded.settings) {
        for (const problem of loaded.problems) err(formatProblem(problem))
        return 1
      }
      const rows = showSettings(loaded)
      print(rows, () =>
        rows.map(
          ({ path, value, origin }) => `${path} = ${JSON.stringify(value)}${args.has('origin') ? `  (${origin})` : ''}`,
        ),
      )
      return 0
    },
  },
  {
    words: ['config', 'schema'],
    usage: 'config schema',
    summary: 'print the JSON Schema of portico.yaml, for editors',
    async run(_args, { out }) {
      out(JSON.stringify(settingsJsonSchema(), null, 2))
      return 0
    },
  },
]
