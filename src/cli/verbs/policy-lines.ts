/** A decision as lines that a person can read. */
import type { Change, ConditionTrace, Decision, RuleTrace, Suggestion, Words } from '#policy'

const SAID = { true: 'yes', false: 'no', unknown: 'unknown', error: 'error' } as const
const WIDTH = 8

/** A decision with the smallest change that would pass, where there is one. */
export type Explained = Decision & { readonly suggestion?: Suggestion }

export function decisionLines(decision: Explained): string[] {
  const { outcome, policy, rule, line, required, deny, missing, satisfied_by: given, session, reported } = decision
  const lines = [
    `${outcome.toUpperCase()}  ${policy ?? 'no policy'} › ${rule ?? 'no rule matched'}${line ? `  (${line})` : ''}`,
  ]
  const row = (name: string, value: string | undefined) => value && lines.push(`  ${name.padEnd(10)} ${value}`)
  row('says', deny?.say && inEnglish(deny.say))
  row('do', deny?.do && inEnglish(deny.do))
  row(
    'required',
    required &&
      [required.strength, ...(required.also ?? [])].join(' and ') +
        (required.within ? `, within ${required.within}` : ''),
  )
  row('given', given.join(', '))
  row('missing', missing.map((combination) => combination.join(' + ')).join(', or '))
  row('helps', decision.suggestion && suggestionLine(decision.suggestion))
  row('unmet', decision.unmet && 'the request wants a strength that does not exist')
  row(
    'session',
    session &&
      Object.entries(session)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
  )
  row('remembers', decision.remember_device && `this device for ${decision.remember_device}`)
  const { scopes, token } = decision
  row('scopes', scopes && (scopes.length > 0 ? `at most ${scopes.join(', ')}` : 'none of an API'))
  row('token', token && `at most ${token.max}`)
  for (const one of reported)
    row('reported', `${one.rule} (${one.line}) would ${one.matched === true ? '' : 'perhaps '}${one.outcome}`)
  return [
    ...lines,
    '',
    ...decision.trace.flatMap(ruleLines),
    ...(decision.trace.length === 0 ? ['no rule was judged'] : []),
  ]
}

/** `be in stores or office, and give totp; or …` */
function suggestionLine({ changes, instead, outcome }: Suggestion): string {
  const ways = [changes, ...instead].map((way) => way.map(changeInWords).join(', and '))
  return `${ways.join('; or ')}${outcome === 'challenge' ? '; then more is asked' : ''}`
}

function changeInWords(change: Change): string {
  switch (change.code) {
    case 'give-again':
    case 'give-factor': {
      const key = change.hardware ? ' whose key cannot be copied' : ''
      return `give ${change.factor}${key}${change.code === 'give-again' ? ' again' : ''}`
    }
    case 'use-enrolled-device':
      return `use an enrolled ${change.kind ? `${change.kind} ` : ''}device${change.site ? ` of ${change.site}` : ''}`
    case 'use-network':
      return `be in ${change.networks.join(' or ')}`
    case 'use-platform':
      return `use a device with ${change.platform}`
    case 'come-back-later':
      return `come back at ${change.time}`
    case 'ask-group':
      return `be in the group ${change.groups.join(' or ')}`
    case 'use-known-device':
      return 'use a known device'
    case 'leave-network':
      return 'be in none of the networks that are named'
    case 'sign-in-again':
      return 'sign in again'
  }
}

function ruleLines({ rule, line, matched, mode, conditions }: RuleTrace): string[] {
  const note = mode === 'report' ? '  [report only]' : ''
  return [
    `${SAID[`${matched}`].padEnd(WIDTH)} ${rule}${line ? `  (${line})` : ''}${note}`,
    ...conditions.flatMap((one) => conditionLines(one, 1)),
  ]
}

function conditionLines({ condition, wanted, seen, result, why, conditions }: ConditionTrace, depth: number): string[] {
  const parts = [
    `${''.padEnd(depth * 2)}${SAID[`${result}`].padEnd(WIDTH)} ${condition}`,
    ...(wanted === undefined ? [] : [written(wanted)]),
    ...(seen === undefined || seen === 'unknown' ? [] : [`← ${written(seen)}`]),
    ...(why ? [`(${why})`] : []),
  ]
  return [parts.join(' '), ...(conditions ?? []).flatMap((one) => conditionLines(one, depth + 1))]
}

/** As a rule would write it: `[a, b]`, `{ outside: [a] }`. */
export function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${key}: ${written(inner)}`)
    .join(', ')} }`
}

const inEnglish = (words: Words): string =>
  typeof words === 'string' ? words : (words['en'] ?? Object.values(words)[0] ?? '')
