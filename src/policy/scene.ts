/** The facts of one decision, with what several conditions would otherwise work out twice. */
import type { Instant } from '#core/clock'
import { plainAddress } from './address.ts'
import { type Facts, instant } from './facts.ts'
import type { Zone } from './zones.ts'

export interface Scene {
  readonly facts: Facts
  /** Who asks: a person who has signed in, a client for itself, or nobody yet. */
  readonly subject: 'person' | 'client' | 'nobody'
  /** Now, as the facts tell it. */
  readonly at: Instant | undefined
  /** The client's address in plain form, or undefined where there is none or it is none. */
  readonly address: string | undefined
  inside(zone: Zone): boolean
}

/** What conditions on the person see where a client asks for itself: known to be nothing, not unknown. */
const NO_PERSON = Object.freeze({ id: '', username: '', directory: '', organisation: null, groups: [], attributes: {} })

/**
 * A client that asks for itself (OAuth client credentials). Where there is a session there is a person, who may just
 * not be known; a client that proved nothing is nobody.
 */
const isClient = ({ user, session, request, client }: Facts): boolean =>
  user === undefined &&
  session === undefined &&
  request?.kind === 'api' &&
  client?.id !== undefined &&
  client.authentication !== 'none'

export function createScene(facts: Facts): Scene {
  const subject = facts.user ? 'person' : isClient(facts) ? 'client' : 'nobody'
  const ip = facts.network?.ip
  const address = ip === undefined ? undefined : plainAddress(ip)
  let known: Map<Zone, boolean> | undefined
  return {
    facts: subject === 'client' ? { ...facts, user: NO_PERSON } : facts,
    subject,
    at: instant(facts.at),
    address,
    inside(zone) {
      known ??= new Map()
      let inside = known.get(zone)
      if (inside === undefined) {
        inside = zone.contains(address!)
        known.set(zone, inside)
      }
      return inside
    },
  }
}
