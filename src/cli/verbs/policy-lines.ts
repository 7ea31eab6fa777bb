/** A decision as lines that a person can read. */
import type { Change, ConditionTrace, Decision, RuleTrace, Suggestion, Words } from '#policy'

import type { Has } from './person-factors.ts'

const SAID = { true: 'yes', false: 'no', unknown: 'unknown', error: 'error' } as const
const WIDTH = 8

/** A decision with the smallest change that would pass, where there is one. */
export type Explained = Decision & {
  readonly suggestion?: Suggestion
  /** Kinds of factors that the person has, where that is known. */
  readonly enrolled?: readonly string[]
}

export function decisionLines(decision: Explained, has?: Has): string[] {
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
  row('helps', decision.suggestion && suggestionLine(decision.suggestion, has))
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
function suggestionLine({ changes, instead, outcome }: Suggestion, has: Has | undefined): string {
  const all = [changes, ...instead]
  // somebody without recovery codes will not make some in order to get in, where anything else would do
  const likely = all.filter((way) => !has || !way.some((change) => mustHave(change) && !owns(change, has)))
  const ways = (likely.length > 0 ? likely : all).map((way) =>
    way.map((change) => changeInWords(change, has)).join(', and '),
  )
  return `${ways.join('; or ')}${outcome === 'challenge' ? '; then more is asked' : ''}`
}

type Giving = Extract<Change, { code: 'give-factor' | 'give-again' }>

const owns = ({ factor, hardware }: Giving, has: Has): boolean =>
  has.kinds.includes(factor) && (!hardware || has.hardware)

/** What nobody adds on the way. */
const mustHave = (change: Change): change is Giving =>
  change.code === 'give-factor' && change.factor !== 'passkey' && change.factor !== 'totp'

function changeInWords(change: Change, has: Has | undefined): string {
  switch (change.code) {
    case 'give-again':
    case 'give-factor': {
      const key = change.hardware ? ' whose key cannot be copied' : ''
      if (change.code === 'give-again') return `give ${change.factor}${key} again`
      if (!has) return `give ${change.factor}${key}`
      return owns(change, has)
        ? `use their ${change.factor}${key}`
        : `add a ${change.factor}${key}, which they do not have`
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
