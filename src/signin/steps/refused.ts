/** The end, with what to do: refused by a rule, or asked for something this person cannot give here. */

import { helpSentence, type ReasonCode, type RefusedData, reasonSentence, refusedView } from '#pages'
import { AUDIENCE, DECIDING_FAILED, DIRECTORY_DOWN } from '#policy'
import { pathOf } from '../errand.ts'
import { helpWith, wantsAdding } from '../help.ts'
import type { Scene, Step } from './step.ts'

export const refused: Step = {
  name: 'refused',
  show: (scene) => refusedView(refusedData(scene), scene.messages),
  take: () => ({ kind: 'ended', outcome: 'refused' }),
}

function refusedData(scene: Scene): RefusedData {
  const { verdict, app, messages, session, enrolled, now } = scene
  const { deny } = verdict.decision
  const say =
    inLanguage(deny?.say, messages.language) ??
    reasonSentence(messages, fallback(scene), { app: app?.name ?? messages.account.title })
  // what whoever wrote the rule says comes first
  const down = verdict.decision.rule === DIRECTORY_DOWN
  const suggestion = deny?.do || down ? undefined : scene.suggestion()
  const [helpful] = helpWith(suggestion, { messages, enrolled, now })
  const waiting = down ? helpSentence(messages, 'directory-down') : undefined
  const next = inLanguage(deny?.do, messages.language) ?? waiting ?? helpful ?? scene.support ?? messages.refused.help
  // a rule's `do` is often a thing to go and fetch: whoever cannot still needs somebody to call
  const support = next === scene.support ? undefined : scene.support
  return {
    say,
    next,
    ...(support === undefined ? {} : { support }),
    ...(app ? { app: app.name } : {}),
    ...(verdict.reference
      ? { reference: verdict.reference, ...(session ? { why: `/why/${verdict.reference}` } : {}) }
      : {}),
    ...(session ? { otherPerson: pathOf(scene.errand, 'somebody-else'), apps: '/' } : {}),
    ...(wantsAdding(suggestion, enrolled) ? { enrol: '/account' } : {}),
    back: { href: pathOf(scene.errand, 'back'), name: messages.common.back },
  }
}

/** Of the rules that no file writes. */
const UNWRITTEN: Readonly<Record<string, ReasonCode>> = {
  [AUDIENCE]: 'not-in-audience',
  [DIRECTORY_DOWN]: 'directory-down',
  [DECIDING_FAILED]: 'error-while-deciding',
}

const fallback = ({ verdict }: Scene): ReasonCode =>
  verdict.outcome === 'challenge' ? 'cannot-be-met' : (UNWRITTEN[verdict.decision.rule ?? ''] ?? 'no-rule')

/** A sentence of a policy file: one for all, or a map of language to text. */
export function inLanguage(
  text: string | Readonly<Record<string, string>> | undefined,
  language: string,
): string | undefined {
  if (text === undefined || typeof text === 'string') return text
  return text[language] ?? text['en'] ?? Object.values(text)[0]
}
