/**
 * What caused a prompt. Asked of `decide` itself: the facts as they were before, and then with one thing changed that
 * would have spared the person.
 */
import { type Authenticated, decide, type Facts, type Policies } from '#policy'
import type { Prompt } from './prompts.ts'

export interface Cause {
  readonly app: string | null
  readonly policy: string | null
  readonly rule: string | null
  /**
   * `no-session`: a sign-in. `app-asked`: the app wanted more than the policy. `lifetime`: what had been given before had
   * become too old. `strength`: it had never been enough.
   */
  readonly because: 'no-session' | 'app-asked' | 'lifetime' | 'strength'
  /** The lifetime, `4h`, or `session`; or the strength. */
  readonly of: string | null
}

/** `policies` are those that decided, or where they are not stored those in force. */
export function causeOf({ receipt, before, at: given, session }: Prompt, policies: Policies): Cause {
  const { facts, policy = null, rule = null } = receipt
  const at = { app: receipt.app ?? null, policy, rule }
  const started = Number(facts.request?.started ?? receipt.at)
  // the request that first knows of a sign-in may be a later one: the launcher, or an app that was opened afterwards
  const isSignIn = before.length === 0 && given <= session
  if (isSignIn || session >= started) return { ...at, because: 'no-session', of: null }
  const earlier = earlierProofs(facts, before, started)
  const withProofs = (authenticated: readonly Authenticated[], more: Partial<Facts> = {}) =>
    decide(policies, { ...facts, ...more, session: { ...facts.session, authenticated } })
  const asked = withProofs(earlier)
  const { wanted, ...request } = facts.request ?? {}
  if (wanted && withProofs(earlier, { request }).outcome === 'allow') return { ...at, because: 'app-asked', of: null }
  const required = asked.required ?? decide(policies, facts).required
  // the same factors, given a moment ago
  const renewed = earlier.map((proof) => ({ ...proof, at: started }))
  return earlier.length === 0 || withProofs(renewed).outcome === 'allow'
    ? { ...at, because: 'lifetime', of: required?.within ?? 'session' }
    : { ...at, because: 'strength', of: required?.strength ?? null }
}

/** Those that are still there, and those that were replaced: a session keeps the newest of each factor. */
function earlierProofs(facts: Facts, before: readonly Authenticated[], started: number): Authenticated[] {
  const kept = (facts.session?.authenticated ?? []).filter(({ at }) => typeof at === 'number' && at < started)
  const replaced = before.filter(({ factor }) => !kept.some((proof) => proof.factor === factor))
  return [...kept, ...replaced]
}
