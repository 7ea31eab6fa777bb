/** From tables to sentences: places filled in, lengths of time and dates in the person's language. */
import type { Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import { de } from './languages/de.ts'
import { en, type Messages } from './languages/en.ts'
import type { Language } from './languages/language.ts'
import { nl } from './languages/nl.ts'
import { ru } from './languages/ru.ts'
import { html, type Markup, type Slot } from './markup.ts'

const TABLES: Readonly<Record<Language, Messages>> = Object.freeze({ en, nl, de, ru })

export const messagesFor = (language: Language): Messages => TABLES[language]

export type ReasonCode = keyof Messages['reasons']
export type HelpCode = keyof Messages['help']
export type Values = Readonly<Record<string, string | number>>

const PLACE = /\{([\w.-]+)\}/g

/** The sentence as plain text. A place without a value stays as it is written: it shows in tests, and leaks nothing. */
export const fill = (sentence: string, values: Values = {}): string =>
  sentence.replace(PLACE, (place, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : place))

/** The sentence as markup: values may be markup themselves, everything else is escaped. */
export function phrase(sentence: string, values: Readonly<Record<string, Slot>>): Markup {
  const parts = sentence.split(PLACE) // odd members are names of places
  return html`${parts.map((part, i) => (i % 2 === 0 ? part : Object.hasOwn(values, part) ? values[part] : `{${part}}`))}`
}

/** One reason of a decision, for `/why/{receipt}` and "Why am I asked?". `within` may be as a policy writes it (`12h`). */
export function reasonSentence(messages: Messages, code: ReasonCode, values: Values = {}): string {
  const length = parseDuration(String(values['within'] ?? ''))
  const within = length === undefined ? {} : { within: lengthOfTime(messages.language, length / 1000) }
  return fill(messages.reasons[code], { ...values, ...within })
}

/** One thing that would help. */
export const helpSentence = (messages: Messages, code: HelpCode, values: Values = {}): string =>
  fill(messages.help[code], values)

/** Several things that are needed together, in their order. `at` is an instant, told in the person's own time. */
export const helpSentences = (
  messages: Messages,
  things: readonly { readonly code: HelpCode; readonly values?: Values; readonly at?: Instant }[],
): Markup =>
  html`${things.map(
    ({ code, values, at }, index) =>
      html`${index > 0 && ' '}${phrase(messages.help[code], { ...values, ...(at !== undefined && { time: time(messages, at) }) })}`,
  )}`

/** A condition of POLICY.md in words: `network`, `user.attribute.team` … */
export function conditionName(messages: Messages, condition: string): string {
  const names: Readonly<Record<string, string>> = messages.conditions
  for (let name = condition; name; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    if (Object.hasOwn(names, name)) return names[name]!
  }
  return messages.conditions.other
}

/** A strength in words; an organisation's own strength keeps its name. */
export function strengthName(messages: Messages, strength: string): string {
  const names: Readonly<Record<string, string>> = messages.strengths
  return Object.hasOwn(names, strength) ? names[strength]! : strength
}

/** A scope of an API, in its owner's words: one sentence, or one for each language. */
export interface ScopeWords {
  readonly scope: string
  readonly api: string
  readonly words: string | Readonly<Partial<Record<Language, string | undefined>>>
}

/** What a token is to be good for beyond scopes (RFC 9396): a sentence with places, and every field of what was asked for. */
export interface DetailWords {
  readonly api: string
  readonly words: ScopeWords['words']
  /** `['creditor.name', 'ACME']` */
  readonly fields: readonly (readonly [path: string, text: string])[]
}

const sentenceIn = ({ language }: Messages, words: ScopeWords['words']): string | undefined =>
  typeof words === 'string' ? words : (words[language as Language] ?? words.en ?? Object.values(words)[0])

/** INVARIANT: whatever the sentence does not name stands behind it, so that nobody agrees to what they have not seen. */
export function detailLine(messages: Messages, { api, words, fields }: DetailWords): Markup {
  const sentence = sentenceIn(messages, words) ?? ''
  const places = [...new Set([...sentence.matchAll(PLACE)].map(([, place]) => place!))]
  const isOf = (place: string, path: string) => path === place || path.startsWith(`${place}.`)
  const told = (place: string) => fields.filter(([path]) => isOf(place, path)).map(([, text]) => text)
  const values = places.map((place) => [place, html`<bdi>${told(place).join(', ') || '–'}</bdi>`] as const)
  const more = fields.filter(([path]) => !places.some((place) => isOf(place, path)))
  return html`${api}: ${phrase(sentence, Object.fromEntries(values))}${more.map(
    ([path, text]) => html`<br><small>${path}: <bdi>${text}</bdi></small>`,
  )}`
}

/** What an app may do, in words. */
export function scopeName(messages: Messages, scope: string | ScopeWords): string {
  if (typeof scope !== 'string') {
    const { api, words } = scope
    return `${api}: ${sentenceIn(messages, words) ?? scope.scope}`
  }
  const names: Readonly<Record<string, string>> = messages.scopes
  return scope !== 'other' && Object.hasOwn(names, scope) ? names[scope]! : fill(messages.scopes.other, { scope })
}

/** The refusal's public sentence in the person's language. */
export const refusalSentence = (messages: Messages, code: keyof Messages['refusals']): string => messages.refusals[code]

/** "in 30 seconds", in the right case of each language. Over a minute and a half in minutes. */
export function inSeconds(language: Language, seconds: number): string {
  const format = new Intl.RelativeTimeFormat(language)
  if (seconds <= 90) return format.format(Math.max(1, Math.ceil(seconds)), 'second')
  return seconds <= 5400
    ? format.format(Math.ceil(seconds / 60), 'minute')
    : format.format(Math.ceil(seconds / 3600), 'hour')
}

/** "30 days", "12 hours", with the language's own plural. */
export function lengthOfTime(language: Language, seconds: number): string {
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ] as const
  const [unit, size] = units.find(([, size]) => seconds >= size && seconds % size === 0) ?? units[3]
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.ceil(seconds / size))
}

/** An instant for people. Written in UTC; the browser's script puts it into the person's own zone. */
export function time(messages: Messages, at: Instant): Markup {
  const written = new Intl.DateTimeFormat(messages.language, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  return html`<time datetime="${new Date(at).toISOString()}">${written.format(at)} UTC</time>`
}
