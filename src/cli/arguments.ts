/** From words to a verb and its arguments. */
import { parseDuration } from '#core/duration'
import { nearest } from '#core/nearest'
import type { Arguments, Verb } from './verb.ts'

/** Flags that every verb takes. */
const COMMON_OPTIONS = ['config']
const COMMON_SWITCHES = ['json', 'help']

export type Parsed = { readonly verb: Verb; readonly args: Arguments } | { readonly wrong: string }

export function parseArguments(words: readonly string[], verbs: readonly Verb[]): Parsed {
  const verb = [...verbs]
    .sort((a, b) => b.words.length - a.words.length)
    .find(({ words: own }) => own.every((word, i) => words[i] === word))
  if (!verb) return { wrong: unknownVerb(words, verbs) }
  const options = [...COMMON_OPTIONS, ...(verb.options ?? [])]
  const switches = [...COMMON_SWITCHES, ...(verb.switches ?? [])]
  const positional: string[] = []
  const values = new Map<string, string[]>()
  const rest = words.slice(verb.words.length)
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!
    if (!word.startsWith('--') || word === '--') {
      positional.push(word)
      continue
    }
    const [name, given] = split(word.slice(2))
    if (switches.includes(name)) values.set(name, [])
    else if (verb.durations?.includes(name)) {
      const next = given ?? (parseDuration(rest[i + 1] ?? '') === undefined ? undefined : rest[++i])
      if (next !== undefined && parseDuration(next) === undefined)
        return { wrong: `\`--${name}\` takes a length of time like 10m, not \`${next}\`\nusage: portico ${verb.usage}` }
      values.set(name, next === undefined ? [] : [next])
    } else if (options.includes(name)) {
      const value = given ?? rest[++i]
      if (value === undefined) return { wrong: `\`--${name}\` needs a value\nusage: portico ${verb.usage}` }
      values.set(name, [...(values.get(name) ?? []), value])
    } else {
      const near = nearest(name, [...options, ...switches, ...(verb.durations ?? [])])
      return {
        wrong: `unknown flag \`--${name}\`${near ? `; did you mean \`--${near}\`?` : ''}\nusage: portico ${verb.usage}`,
      }
    }
  }
  return {
    verb,
    args: {
      positional,
      flag: (name) => values.get(name)?.at(-1),
      flags: (name) => values.get(name) ?? [],
      has: (name) => values.has(name),
    },
  }
}

function split(word: string): [string, string | undefined] {
  const equals = word.indexOf('=')
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)]
}

function unknownVerb(words: readonly string[], verbs: readonly Verb[]): string {
  const said = words.slice(0, 2).join(' ')
  const near = nearest(
    said,
    verbs.map((verb) => verb.words.join(' ')),
  )
  return said ? `unknown command \`${said}\`${near ? `; did you mean \`${near}\`?` : ''}` : 'a command is missing'
}
