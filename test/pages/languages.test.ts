/** The tables: complete, really translated, and with the same places to fill in. */
import { expect, test } from 'vitest'
import { REFUSALS } from '#core/refusals'
import {
  chooseLanguage,
  conditionName,
  inSeconds,
  LANGUAGES,
  lengthOfTime,
  type Messages,
  messagesFor,
  reasonSentence,
  scopeName,
  strengthName,
} from '#pages'

function sentencesOf(table: object, path = ''): [path: string, sentence: string][] {
  return Object.entries(table).flatMap(([key, value]) =>
    typeof value === 'string' ? [[`${path}${key}`, value] as [string, string]] : sentencesOf(value, `${path}${key}.`),
  )
}
const places = (sentence: string) => [...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort()
const en = new Map(sentencesOf(messagesFor('en')))
const OTHERS = LANGUAGES.filter((language) => language !== 'en')

/** Words that are the same in a language as in English. */
const SAME: Record<string, readonly string[]> = {
  nl: ['frame.apps', 'why.app', 'factors.passkey'],
  de: ['frame.apps', 'why.app', 'factors.passkey', 'frame.problem'],
  ru: [],
}

test.each(OTHERS)('%s has exactly the keys of English and leaves none of them in English', (language) => {
  const own = new Map(sentencesOf(messagesFor(language)))
  expect([...own.keys()].sort()).toEqual([...en.keys()].sort())
  expect(
    [...own]
      .filter(([key, sentence]) => key !== 'language' && sentence === en.get(key))
      .map(([key]) => key)
      .sort(),
  ).toEqual([...SAME[language]!].sort())
})

test.each(OTHERS)('%s has the same places in every sentence', (language) => {
  const different = sentencesOf(messagesFor(language)).filter(
    ([key, sentence]) => String(places(sentence)) !== String(places(en.get(key)!)),
  )
  expect(different).toEqual([])
})

test.each(LANGUAGES)('%s has no empty sentence, no double blank and no straight quotation mark', (language) => {
  expect(
    sentencesOf(messagesFor(language)).filter(([, sentence]) => !sentence || /^\s|\s$| {2}|["']/.test(sentence)),
  ).toEqual([])
})

test.each(OTHERS)('%s is not written in English words', (language) => {
  const english = /\b(?:the|your|you|please|with|this|that|was|are|not|sign|password|again|cannot)\b/i
  const allowed = /\bwas\b/i // Dutch and German have this word too
  const left = sentencesOf(messagesFor(language)).filter(([, sentence]) =>
    english.test(language === 'ru' ? sentence : sentence.replace(allowed, '')),
  )
  expect(left).toEqual([])
})

test('Russian is written in Cyrillic throughout, but for names of techniques', () => {
  const latin = sentencesOf(messagesFor('ru')).filter(
    ([key, sentence]) => key !== 'language' && /[a-z]{2,}/i.test(sentence.replace(/\{\w+\}|JavaScript|PIN|QR/g, '')),
  )
  expect(latin).toEqual([])
})

test.each(LANGUAGES)('every refusal has a sentence in %s', (language) => {
  const { refusals } = messagesFor(language)
  expect(Object.keys(refusals).sort()).toEqual(Object.keys(REFUSALS).sort())
})

test('in English a refusal says what its table says', () => {
  for (const [code, { say }] of Object.entries(REFUSALS))
    expect(messagesFor('en').refusals[code as keyof Messages['refusals']]).toBe(say)
})

test.each([
  [undefined, undefined, 'en'],
  ['nl-BE,nl;q=0.9,en;q=0.8', undefined, 'nl'],
  ['en;q=0.5, de;q=0.9', undefined, 'de'],
  ['fr, ru;q=0.1', undefined, 'ru'],
  ['fr', undefined, 'en'],
  ['*', undefined, 'en'],
  ['nl;q=0', undefined, 'en'],
  ['nl;q=high, de', undefined, 'de'],
  ['nl', 'ru', 'ru'],
  ['nl', 'xx', 'nl'],
  ['nl', '__proto__', 'nl'],
  [','.repeat(100_000), undefined, 'en'],
])('Accept-Language %s with choice %s gives %s', (accept, chosen, language) => {
  expect(chooseLanguage(accept?.slice(0, 200_000), chosen, LANGUAGES)).toBe(language)
})

test('only languages that the operator offers are chosen', () => {
  expect(chooseLanguage('ru, nl;q=0.5', 'de', ['nl', 'en'])).toBe('nl')
  expect(chooseLanguage('ru', 'ru', ['nl', 'en'])).toBe('nl')
})

test('lengths of time follow the language’s own grammar', () => {
  expect(LANGUAGES.map((language) => inSeconds(language, 41))).toEqual([
    'in 41 seconds',
    'over 41 seconden',
    'in 41 Sekunden',
    'через 41 секунду',
  ])
  expect(LANGUAGES.map((language) => inSeconds(language, 600))).toEqual([
    'in 10 minutes',
    'over 10 minuten',
    'in 10 Minuten',
    'через 10 минут',
  ])
  expect(LANGUAGES.map((language) => lengthOfTime(language, 30 * 86_400))).toEqual([
    '30 days',
    '30 dagen',
    '30 Tage',
    '30 дней',
  ])
})

test('a reason takes a length as a policy writes it', () => {
  expect(reasonSentence(messagesFor('nl'), 'too-old', { app: 'CRM', within: '12h' })).toContain('12 uur')
})

test('conditions, strengths and scopes that have no words of their own still get some', () => {
  const messages = messagesFor('en')
  expect(conditionName(messages, 'user.attribute.team')).toBe(messages.conditions.user)
  expect(conditionName(messages, 'device.known')).toBe(messages.conditions['device.known'])
  expect(conditionName(messages, 'constructor')).toBe(messages.conditions.other)
  expect(strengthName(messages, 'store-floor')).toBe('store-floor')
  expect(strengthName(messages, 'toString')).toBe('toString')
  expect(scopeName(messages, 'orders:read')).toBe('use “orders:read”')
  expect(scopeName(messages, 'other')).toBe('use “other”')
})
