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
  proofs: readonly Given[]
  /** Beginnings of the conversations that were told. */
  told: readonly Instant[]
  /** Given, and not yet known for what. */
  unclaimed: readonly { readonly proof: Given; readonly first: Decidable; readonly before: readonly Authenticated[] }[]
}

const NONE: readonly never[] = Object.freeze([])

/** So long a receipt may still come that waited for a factor. */
const LATEST_CLAIM = minutes(60)
/** Nobody remembers a session that was not used for so long. */
const FORGET_AFTER = minutes(36 * 60)

/** Memory: the sessions of the last day and a half. `since`: what was given earlier was told earlier. */
export function createPrompts(since: Instant, tell: (prompt: Prompt) => void): Prompts {
  // in one map: a map for each of thousands of people takes longer to walk than all that is in them
  const sessions = new Map<string, Known>()

  function giveUp(known: Known): void {
    const first = known.unclaimed[0]
    known.unclaimed = NONE
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
      const key = `${started} ${person}`
      let known = sessions.get(key)
      if (!known) {
        known = {
          person,
          session: started,
          last: at,
          facts: undefined,
          proofs: NONE,
          told: NONE,
          unclaimed: NONE,
        }
        sessions.set(key, known)
      }
      const { proofs: before, unclaimed } = known
      known.last = Math.max(known.last, at)
      if (known.facts === facts.session && unclaimed.length === 0) return
      known.facts = facts.session
      const given = (facts.session?.authenticated ?? []).filter((one): one is Given => typeof one.at === 'number')
      const newer = given.filter(
        (one) => !before.some(({ factor, at: then }) => factor === one.factor && then >= one.at),
      )
      if (newer.length === 0 && unclaimed.length === 0) return
      known.proofs = newest([...before, ...newer])
      // what is older was told before the session was forgotten
      const oldest = Math.max(since, at - FORGET_AFTER)
      const fresh = newer.filter((one) => one.at >= oldest)
      if (fresh.length === 0 && unclaimed.length === 0) return
      const waitedFor = facts.request?.started
      const claims = (proof: Given) => typeof waitedFor === 'number' && proof.at >= waitedFor
      const claimed = [...unclaimed.map(({ proof }) => proof), ...fresh].filter(claims)
      const earlier = unclaimed.find(({ proof }) => claims(proof))?.before ?? before
      known.unclaimed = [
        ...unclaimed.filter(({ proof }) => !claims(proof)),
        ...fresh.filter((proof) => !claims(proof)).map((proof) => ({ proof, first: receipt, before })),
      ]
      if (claimed.length === 0 || known.told.includes(waitedFor as number)) return
      known.told = [...known.told, waitedFor as number]
      const first = Math.min(...claimed.map((proof) => proof.at))
      tell({ person, session: started, at: first, receipt, before: earlier })
    },

    passed(now) {
      for (const [key, known] of sessions) {
        const first = known.unclaimed[0]?.proof.at
        if (first !== undefined && now - first > LATEST_CLAIM) giveUp(known)
        if (now - known.last > FORGET_AFTER) sessions.delete(key)
      }
    },

    end() {
      for (const known of sessions.values()) giveUp(known)
      sessions.clear()
    },
  }
}

/** Of each factor, where it was given first in the list. */
function newest(proofs: readonly Given[]): readonly Given[] {
  const byFactor = new Map<string, Given>()
  for (const one of proofs) {
    const known = byFactor.get(one.factor)
    if (!known || one.at > known.at) byFactor.set(one.factor, one)
  }
  return [...byFactor.values()]
}
