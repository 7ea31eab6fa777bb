/** The end, with what to do: refused by a rule, or asked for something this person cannot give here. */

import { helpSentence, type RefusedData, reasonSentence, refusedView } from '#pages'
import { pathOf } from '../errand.ts'
import type { Scene, Step } from './step.ts'

export const refused: Step = {
  name: 'refused',
  show: (scene) => refusedView(refusedData(scene), scene.messages),
  take: () => ({ kind: 'ended', outcome: 'refused' }),
}

function refusedData(scene: Scene): RefusedData {
  const { verdict, app, messages, session } = scene
  const { deny } = verdict.decision
  const say =
    inLanguage(deny?.say, messages.language) ?? reasonSentence(messages, fallback(scene), { app: app?.name ?? '' })
  const missing = verdict.outcome === 'challenge' ? helpWith(scene) : undefined
  const next = inLanguage(deny?.do, messages.language) ?? missing ?? scene.support ?? messages.refused.help
  return {
    say,
    next,
    ...(app ? { app: app.name } : {}),
    ...(verdict.reference
      ? { reference: verdict.reference, ...(session ? { why: `/why/${verdict.reference}` } : {}) }
      : {}),
    ...(session ? { otherPerson: pathOf(scene.errand, 'somebody-else'), apps: '/' } : {}),
    ...(missing && session ? { enrol: '/account' } : {}),
    back: { href: pathOf(scene.errand, 'back'), name: messages.common.back },
  }
}

/** What this person could add so that it opens. */
function helpWith({ verdict, messages }: Scene): string {
  const passkeyOnly = verdict.decision.missing.every((combination) => combination.includes('passkey'))
  return helpSentence(messages, passkeyOnly ? 'add-passkey' : 'add-second-factor')
}

const fallback = ({ verdict }: Scene) =>
  verdict.outcome === 'challenge'
    ? 'cannot-be-met'
    : verdict.decision.rule === 'audience'
      ? 'not-in-audience'
      : 'no-rule'

/** A sentence of a policy file: one for all, or a map of language to text. */
export function inLanguage(
  text: string | Readonly<Record<string, string>> | undefined,
  language: string,
): string | undefined {
  if (text === undefined || typeof text === 'string') return text
  return text[language] ?? text['en'] ?? Object.values(text)[0]
}
