/**
 * Prompts, found in receipts: a prompt is one conversation in which a person was asked for proof and gave it, however
 * many factors that were. Nothing is written down for this: each receipt tells which factors the session had, when each
 * was given, and when its request began.
 *
 * A factor belongs to the first receipt whose request began before it was given: that request was waiting for it. Where no
 * receipt is (somebody signed in and the app was never opened), it belongs to the first receipt that knows of it.
 */
import { type Instant, minutes } from '#core/clock'
import type { Authenticated, Facts } from '#policy'
import type { Decidable } from './openings.ts'

export interface Prompt {
  readonly person: string
  /** When the session started: names it among the person's sessions. */
  readonly session: Instant
  /** When the first factor was given. */
  readonly at: Instant
  /** The decision that the person was asked for. */
  readonly receipt: Decidable
  /** What the session had before; empty where it began with this. */
  readonly before: readonly Authenticated[]
}

export interface Prompts {
  add(receipt: Decidable): void
  /** Sessions in which nothing has happened since long before this are told and forgotten. */
  passed(at: Instant): void
  end(): void
}

type Given = Authenticated & { readonly at: Instant }

interface Known {
  /** As the last receipt told it: receipts that share a part share the object. */
  facts: Facts['session']
  readonly person: string
  readonly session: Instant
  last: Instant
  /** The newest proof of each factor. */
  proofs: Map<string, Given>
  /** Beginnings of the conversations that were told. */
  readonly told: Set<Instant>
  /** Given, and not yet known for what. */
  unclaimed: { readonly proof: Given; readonly first: Decidable; readonly before: readonly Authenticated[] }[]
}

/** So long a receipt may still come that waited for a factor. */
const LATEST_CLAIM = minutes(60)
/** Nobody remembers a session that was not used for so long. */
const FORGET_AFTER = minutes(36 * 60)

/** Memory: the sessions of the last day and a half. `since`: what was given earlier was told earlier. */
export function createPrompts(since: Instant, tell: (prompt: Prompt) => void): Prompts {
  const sessions = new Map<string, Map<Instant, Known>>()

  function giveUp(known: Known): void {
    const first = known.unclaimed[0]
    known.unclaimed = []
    if (first)
      tell({
        person: known.person,
        session: known.session,
        at: first.proof.at,
        receipt: first.first,
        before: first.before,
      })
  }

  return {
    add(receipt) {
      const { person, facts, at } = receipt
      const started = facts.session?.started
      if (person === undefined || typeof started !== 'number') return
      let own = sessions.get(person)
      if (!own) {
        own = new Map()
        sessions.set(person, own)
      }
      let known = own.get(started)
      if (!known) {
        known = {
          person,
          session: started,
          last: at,
          facts: undefined,
          proofs: new Map(),
          told: new Set(),
          unclaimed: [],
        }
        own.set(started, known)
      }
      known.last = Math.max(known.last, at)
      if (known.facts === facts.session && known.unclaimed.length === 0) return
      known.facts = facts.session
      const given = (facts.session?.authenticated ?? []).filter((one): one is Given => typeof one.at === 'number')
      const isNew = (one: Given) => one.at > (known.proofs.get(one.factor)?.at ?? Number.NEGATIVE_INFINITY)
      // what is older was told before the session was forgotten
      const oldest = Math.max(since, at - FORGET_AFTER)
      const fresh = given.filter((one) => one.at >= oldest && isNew(one))
      const before = [...known.proofs.values()]
      for (const one of given) if (isNew(one)) known.proofs.set(one.factor, one)
      if (fresh.length === 0 && known.unclaimed.length === 0) return
      const waitedFor = facts.request?.started
      const claims = (proof: Given) => typeof waitedFor === 'number' && proof.at >= waitedFor
      const claimed = [...known.unclaimed.map(({ proof }) => proof), ...fresh].filter(claims)
      const earlier = known.unclaimed.find(({ proof }) => claims(proof))?.before ?? before
      known.unclaimed = [
        ...known.unclaimed.filter(({ proof }) => !claims(proof)),
        ...fresh.filter((proof) => !claims(proof)).map((proof) => ({ proof, first: receipt, before })),
      ]
      if (claimed.length === 0 || known.told.has(waitedFor as number)) return
      known.told.add(waitedFor as number)
      const first = Math.min(...claimed.map((proof) => proof.at))
      tell({ person, session: started, at: first, receipt, before: earlier })
    },

    passed(now) {
      for (const [person, own] of sessions) {
        for (const [started, known] of own) {
          const first = known.unclaimed[0]?.proof.at
          if (first !== undefined && now - first > LATEST_CLAIM) giveUp(known)
          if (now - known.last > FORGET_AFTER) own.delete(started)
        }
        if (own.size === 0) sessions.delete(person)
      }
    },

    end() {
      for (const own of sessions.values()) for (const known of own.values()) giveUp(known)
      sessions.clear()
    },
  }
}
