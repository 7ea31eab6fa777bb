/** The facts of one decision, with what several conditions would otherwise work out twice. */
import type { Instant } from '#core/clock'
import { plainAddress } from './address.ts'
import type { Facts } from './facts.ts'
import { instant } from './instants.ts'
import { mergePlaces, type Place } from './places.ts'
import type { ConditionTrace } from './said.ts'
import type { Site, Sites } from './sites.ts'
import type { Truth } from './truth.ts'
import type { Zone } from './zones.ts'

interface Found {
  place: Place | undefined
  inside: Map<Zone, Truth> | undefined
  /** What conditions of `owner`, a policy, said: as traces, where somebody reads them. */
  said: (Truth | ConditionTrace | undefined)[] | undefined
  owner: object | undefined
}

export interface Scene {
  readonly facts: Facts
  /** Who asks: a person who has signed in, a client for itself, or nobody yet. */
  readonly subject: 'person' | 'client' | 'nobody'
  /** Now, as the facts tell it. */
  readonly at: Instant | undefined
  /** The client's address in plain form, or undefined where there is none or it is none. */
  readonly address: string | undefined
  readonly sites: Sites
  /** What was worked out already. */
  readonly found: Found
}

/** What conditions on the person see where a client asks for itself: known to be nothing, not unknown. */
const NO_PERSON = Object.freeze({ id: '', username: '', directory: '', organisation: null, groups: [], attributes: {} })
const NO_HISTORY = Object.freeze({ previous: null })
const NO_SESSION = Object.freeze({ upstream: null })

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

export function createScene(facts: Facts, sites: Sites): Scene {
  const subject = facts.user ? 'person' : isClient(facts) ? 'client' : 'nobody'
  const ip = facts.network?.ip
  return {
    facts: subject === 'client' ? { ...facts, user: NO_PERSON, history: NO_HISTORY, session: NO_SESSION } : facts,
    subject,
    at: instant(facts.at),
    address: ip === undefined ? undefined : plainAddress(ip),
    sites,
    found: { place: undefined, inside: undefined, said: undefined, owner: undefined },
  }
}

/** The site that the address is in; where it is in none, that of the device. */
export function siteOf({ facts, address, sites }: Scene): Site | undefined {
  const device = facts.device?.site
  return (address === undefined ? undefined : sites.at(address)) ?? (device ? sites.named(device) : undefined)
}

/** Where the address is. What its site says counts before what a database says. */
export function placeOf({ facts, address, sites, found }: Scene): Place {
  found.place ??= mergePlaces(address === undefined ? undefined : sites.at(address), facts.network)
  return found.place
}

export function isInside(scene: Scene, zone: Zone): Truth {
  const { found } = scene
  found.inside ??= new Map()
  let inside = found.inside.get(zone)
  if (inside === undefined) {
    inside = zone.countries ? among(zone.countries, placeOf(scene).country) : contains(zone, scene.address)
    found.inside.set(zone, inside)
  }
  return inside
}

const contains = (zone: Zone, address: string | undefined): Truth =>
  address === undefined ? 'unknown' : zone.contains(address)

export const among = (countries: ReadonlySet<string>, country: string | null | undefined): Truth =>
  country === undefined ? 'unknown' : country !== null && countries.has(country)
