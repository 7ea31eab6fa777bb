import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { formatProblem, type LoadedSettings, type Problem, settingsJsonSchema, showSettings } from '#config'
import type { Verb } from '../verb.ts'

/** Folders that the settings name and that are not there, at the place where each was named. */
function missingFolders({ settings, folder, origins }: LoadedSettings, file: string): Problem[] {
  if (!settings) return []
  return (['policies', 'catalog'] as const)
    .filter((name) => !existsSync(resolve(folder, settings[name])))
    .map((name) => {
      const origin = origins.get(name)
      const [, place = origin ?? file, line = 1] = /^(.*):(\d+)$/.exec(origin ?? '') ?? []
      const message = `\`${name}\`: there is no folder \`${resolve(folder, settings[name])}\``
      return { file: place, line: Number(line), column: 1, code: 'folder-missing', message }
    })
}

export const configVerbs: readonly Verb[] = [
  {
    words: ['config', 'check'],
    usage: 'config check',
    summary: 'check the settings; prints all problems as file:line:column code message',
    async run(args, { loaded, print }) {
      const problems = [...loaded.problems, ...missingFolders(loaded, args.flag('config') ?? 'portico.yaml')]
      print(problems, () => (problems.length === 0 ? 'settings are fine' : problems.map(formatProblem)))
      return problems.length === 0 ? 0 : 1
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
