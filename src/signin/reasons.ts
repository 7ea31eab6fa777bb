/** Why somebody is asked or refused, as codes that the pages turn into sentences. */
import type { Verdict } from '#access'
import { type Messages, type ReasonCode, reasonSentence, strengthName } from '#pages'
import { DIRECTORY_DOWN } from '#policy'
import type { Situation } from './dispatch.ts'

export interface Reason {
  readonly code: ReasonCode
  readonly values?: Readonly<Record<string, string>>
}

/** The reasons of a decision, most important first. */
export function reasonsFor(
  verdict: Pick<Verdict, 'decision' | 'outcome' | 'facts'>,
  app: string,
  messages: Messages,
): readonly Reason[] {
  const { decision, facts } = verdict
  const reasons: Reason[] = []
  const { rule, required } = decision
  if (verdict.outcome === 'deny') {
    if (rule === 'audience') reasons.push({ code: 'not-in-audience', values: { app } })
    else if (rule === DIRECTORY_DOWN) reasons.push({ code: 'directory-down', values: { app } })
    else if (rule) reasons.push({ code: 'denied-by-rule', values: { rule } })
    else reasons.push({ code: 'no-rule' })
  } else if (verdict.outcome === 'challenge') {
    if (!facts.session) reasons.push({ code: 'nobody-signed-in' })
    if (facts.request?.wanted?.fresh || facts.request?.wanted?.max_age !== undefined)
      reasons.push({ code: 'app-asked-again', values: { app } })
    const tooOld = facts.session && decision.satisfied_by.length === 0 && required?.within !== undefined
    if (tooOld) reasons.push({ code: 'too-old', values: { app, within: required.within! } })
    else if (facts.session && required)
      reasons.push({ code: 'strength-missing', values: { app, strength: strengthName(messages, required.strength) } })
  } else {
    if (rule) reasons.push({ code: 'allowed-by-rule', values: { rule } })
    reasons.push({ code: 'already-satisfied' })
  }
  return reasons
}

/** One sentence for "Why am I asked?"; none for an ordinary first sign-in. */
export function whyAsked(
  scene: Situation & { messages: Messages; app: { name: string } | undefined },
): string | undefined {
  if (!scene.session) return undefined
  const [first] = reasonsFor(scene.verdict, scene.app?.name ?? scene.messages.account.title, scene.messages)
  return first && reasonSentence(scene.messages, first.code, first.values)
}
