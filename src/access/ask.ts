/** Putting the question: gather facts, decide, record. */
import type { Catalog } from '#catalog'
import type { ClientPasts, History, Places } from '#context'
import type { Clock, Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Log } from '#core/log'
import type { People, Person } from '#directory'
import type { Keys } from '#keys'
import {
  DECIDING_FAILED,
  type Decision,
  decide,
  FACTS_VERSION,
  type Facts,
  type Gathered,
  type Policies,
  type Suggestion,
  suggest,
} from '#policy'
import type { Devices, Limits, Session, Sessions } from '#sessions'
import type { Storage } from '#storage'
import { createEnrolledLookup, type EnrolledLookup } from './enrolled.ts'
import { gatherFacts } from './facts.ts'
import type { LivePolicies } from './live.ts'
import { createMemory, type Memory } from './memory.ts'
import type { OutageSource } from './outages.ts'
import type { Question } from './question.ts'
import type { Receipt } from './receipt.ts'
import { createReceipts, RECEIPT_KEY, type Receipts } from './receipts.ts'
import { createPoliciesThen } from './then.ts'
import type { Versions } from './versions.ts'

export interface Verdict {
  readonly outcome: Decision['outcome']
  readonly decision: Decision
  readonly facts: Facts
  /** What was looked for, found or not. */
  readonly gathered: Gathered
  readonly person: Person | undefined
  /** Absent for a preview, and where somebody unknown is asked to sign in. */
  readonly reference: string | undefined
  /** Name of the strength that was met. */
  readonly acr: string | undefined
  /** RFC 8176, of the factors that make it. */
  readonly amr: readonly string[]
  /** When the oldest of them was given. */
  readonly authTime: Instant | undefined
}

export interface Access {
  /** Decides and records. Never throws for what a person, an app or a directory did: an error denies. */
  ask(question: Question): Promise<Verdict>
  /** Decides without recording: for showing what would happen, and for asking again about who was let in. Lets nobody in. */
  preview(question: Question): Promise<Verdict>
  /** The smallest change with which that would pass, by the policies in force. For showing: it costs many decisions. */
  suggest(verdict: Pick<Verdict, 'facts'>, enrolled: readonly string[]): Suggestion | undefined
  /** The policies that decided a receipt; undefined where they are neither in force nor stored. */
  policiesThen(receipt: Pick<Receipt, 'policies'>): Promise<Policies | undefined>
  /** How often each was the outcome of a question since the start; previews are none. */
  decided(): Readonly<Record<Decision['outcome'], number>>
  readonly receipts: Receipts
  readonly policies: LivePolicies
  readonly memory: Memory
  readonly enrolled: EnrolledLookup
}

export interface AccessOptions {
  readonly storage: Storage
  readonly keys: Pick<Keys, 'derive'>
  readonly clock: Clock
  readonly log: Log
  readonly people: Pick<People, 'byId'> & OutageSource
  readonly sessions: Pick<Sessions, 'limit'>
  readonly devices: Pick<Devices, 'enrolled' | 'enrolledCookieName'>
  readonly policies: LivePolicies
  /** What was published, where anything can be. */
  readonly versions?: Versions
  readonly places: Pick<Places, 'find'>
  readonly history: History
  readonly clients?: ClientPasts
  /** Is told of apps that somebody was let in to. */
  readonly catalog?: { readonly apps: Pick<Catalog['apps'], 'opened'> }
}

export function openAccess(options: AccessOptions): Access {
  const { storage, keys, clock, log, people, sessions, policies, places, history, clients, catalog } = options
  const memory = createMemory(options)
  const receipts = createReceipts(storage, clock, keys.derive(RECEIPT_KEY))
  const policiesThen = createPoliciesThen(options.versions)
  const outcomes: Record<Decision['outcome'], number> = { allow: 0, challenge: 0, deny: 0 }

  async function judge(question: Question): Promise<Omit<Verdict, 'reference'>> {
    const found = question.person ?? (question.session ? await people.byId(question.session.personId) : undefined)
    const { person, outage } = found ? await people.standing(found) : { person: undefined }
    // INVARIANT: a person switched off is nobody, whatever session still exists
    const known = person && !person.disabled ? person : undefined
    const inForce = policies.current()
    const sources = { policies: inForce, places, history, clients, outages: people, outage }
    const asked = known ? question : { ...question, session: undefined }
    const { facts, gathered } = await gatherFacts(asked, known, clock.now(), sources)
    const decision = decideClosed(inForce, facts)
    return {
      outcome: decision.outcome,
      decision,
      facts,
      gathered,
      person: known,
      ...assurance(decision, question.session),
    }
  }

  function decideClosed(inForce: Policies, facts: Facts): Decision {
    try {
      return decide(inForce, facts)
    } catch (cause) {
      log.error('decision-failed', {}, cause)
      return {
        outcome: 'deny',
        policy: facts.app?.policy ?? null,
        rule: DECIDING_FAILED,
        line: null,
        satisfied_by: [],
        missing: [],
        reported: [],
        trace: [],
        versions: { policies: inForce.version, facts: FACTS_VERSION },
      }
    }
  }

  return {
    receipts,
    policies,
    memory,
    enrolled: createEnrolledLookup(options),
    async preview(question) {
      return { ...(await judge(question)), reference: undefined }
    },
    suggest: ({ facts }, enrolled) => suggest(policies.current(), facts, { enrolled }),
    policiesThen: (receipt) => policiesThen(receipt, policies.current()),
    decided: () => ({ ...outcomes }),
    async ask(question) {
      const verdict = await judge(question)
      outcomes[verdict.outcome]++
      // asking a stranger who they are decides about nobody; kept, it would let strangers fill the disk
      const stranger = verdict.outcome === 'challenge' && !verdict.person
      if (stranger) return { ...verdict, reference: undefined }
      const reference = await receipts.add(verdict.facts, verdict.decision, verdict.gathered)
      // a rule's limits hold for the session from the first time that it opens something
      const limits = verdict.outcome === 'allow' ? limitsOf(verdict.decision, question.session) : undefined
      if (limits) await sessions.limit(question.session!, limits)
      if (question.app && verdict.outcome === 'allow' && verdict.person) await catalog?.apps.opened(question.app)
      if (question.opens && verdict.outcome === 'allow' && verdict.person)
        await memory.count('app_opens', verdict.person.id)
      return { ...verdict, reference }
    },
  }
}

/** What the door may say about how strongly somebody signed in: only factors that the decision counted. */
function assurance(decision: Decision, session: Session | undefined): Pick<Verdict, 'acr' | 'amr' | 'authTime'> {
  if (decision.outcome !== 'allow' || !session) return { acr: undefined, amr: [], authTime: undefined }
  const makeAcr = decision.acr_by ?? decision.satisfied_by
  const counted = session.authenticated.filter((proof) => makeAcr.includes(proof.factor))
  const amr = new Set(counted.flatMap((proof) => proof.amr))
  if (counted.length > 1) amr.add('mfa')
  return {
    acr: decision.acr,
    amr: [...amr],
    authTime: decision.auth_time === undefined ? undefined : decision.auth_time * 1000,
  }
}

/**
 * What the rule says about the session, as lengths of time. `max` counts from the sign-in; where all that the rule needs was
 * given anew since, from then: whoever has just proved it to a rule is not thrown out by it.
 */
function limitsOf({ session: said, satisfied_by: names }: Decision, session: Session | undefined): Limits | undefined {
  if (!said || !session) return undefined
  const times = session.authenticated.filter(({ factor }) => names.includes(factor)).map(({ at }) => at)
  const anew = times.length === 0 ? 0 : Math.max(0, Math.min(...times) - session.startedAt)
  const lengths = [
    ...(said.max ? [anew + parseDuration(said.max)!] : []),
    ...(said.ends ? [Date.parse(said.ends) - session.startedAt] : []),
  ]
  return {
    ...(said.idle ? { idle: parseDuration(said.idle) } : {}),
    ...(lengths.length > 0 ? { max: Math.min(...lengths) } : {}),
  }
}
