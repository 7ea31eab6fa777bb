/** What a person, or whoever helps them, can change about a request that did not pass; and the facts after it. */
import type { Facts } from '../facts.ts'
import type { Policies } from '../policies.ts'
import { edgesOf } from '../zones.ts'

/** Every change that is tried, and nothing else. The order is that of preference: what asks least comes first. */
export const CHANGES = Object.freeze([
  /** Give a factor once more that was given before, so that it is fresh. */
  'give-again',
  /** Give a factor that was not given yet; whoever has none has to add it first. `hardware`: a key that cannot be copied. */
  'give-factor',
  /** Use a device on which this person passed before. */
  'use-known-device',
  /** Use a device that the organisation set up; of a kind or a site, where rules name one. */
  'use-enrolled-device',
  /** Be in a network that rules name. */
  'use-network',
  /** Be in none of the networks that rules name. */
  'leave-network',
  /** Use a device with another platform that rules name. */
  'use-platform',
  /** Sign out, and in again with the same factors. */
  'sign-in-again',
  /** Open it at another time, at most eight days from now. */
  'come-back-later',
  /** Be in a group that rules name, or for which the app is. */
  'ask-group',
] as const)

export type ChangeCode = (typeof CHANGES)[number]

export type Change =
  | { readonly code: 'give-again' | 'give-factor'; readonly factor: string; readonly hardware?: true }
  | { readonly code: 'use-known-device' | 'leave-network' | 'sign-in-again' }
  | { readonly code: 'use-enrolled-device'; readonly kind?: 'personal' | 'shared'; readonly site?: string }
  /** Any one of them. */
  | { readonly code: 'use-network'; readonly networks: readonly string[] }
  | { readonly code: 'use-platform'; readonly platform: string }
  /** ISO 8601. */
  | { readonly code: 'come-back-later'; readonly time: string }
  /** Any one of them. */
  | { readonly code: 'ask-group'; readonly groups: readonly string[] }

/** The facts as they would be. Several changes come in the order of `ORDER`: what is given later is given at the later time. */
export function applyChange(policies: Policies, facts: Facts, change: Change): Facts {
  const { device, network, session, user, request, at } = facts
  switch (change.code) {
    case 'give-again':
    case 'give-factor': {
      const { factor, hardware } = change
      const checked = factor === 'passkey' && { user_verified: true, ...(hardware && { hardware }) }
      const authenticated = [...(session?.authenticated ?? []), { factor, at, ...checked }]
      return { ...facts, session: { ...session, authenticated } }
    }
    case 'sign-in-again': {
      const again = (session?.authenticated ?? []).map((given) => ({ ...given, at }))
      return { ...facts, session: { ...session, started: at, authenticated: again } }
    }
    case 'use-known-device':
      return { ...facts, device: { ...device, known: true } }
    case 'use-enrolled-device': {
      const { kind, site } = change
      // another device than the one that remembers this person
      const { trusted_since: _, ...rest } = device ?? {}
      return {
        ...facts,
        device: { ...rest, enrolled: true, ...(kind && { kind }), ...(site !== undefined && { site }) },
      }
    }
    case 'use-platform':
      return { ...facts, device: { ...device, platform: change.platform } }
    case 'use-network':
      return { ...facts, network: { ...network, ip: addressIn(policies, change.networks[0]!) } }
    case 'leave-network':
      return { ...facts, network: { ...network, ip: addressIn(policies, '') } }
    case 'come-back-later': {
      const later = Date.parse(change.time)
      const started = request?.started === undefined ? {} : { started: later }
      return { ...facts, at: later, ...(request && { request: { ...request, ...started } }) }
    }
    case 'ask-group':
      return { ...facts, user: { ...user, groups: [...(user?.groups ?? []), change.groups[0]!] } }
  }
}

const ORDER: readonly ChangeCode[] = [
  'come-back-later',
  'leave-network',
  'use-network',
  'use-platform',
  'use-enrolled-device',
  'use-known-device',
  'ask-group',
  'sign-in-again',
  'give-again',
  'give-factor',
]

/** In the order in which they are done: the time first, proofs last. */
export const inOrder = (changes: readonly Change[]): Change[] =>
  changes.toSorted((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code))

export const applyChanges = (policies: Policies, facts: Facts, changes: readonly Change[]): Facts =>
  inOrder(changes).reduce((changed, change) => applyChange(policies, changed, change), facts)

const addresses = new WeakMap<Policies['zones'], Map<string, string | undefined>>()

/** An address in that network and in as few others as there are; for `''`, one in none of them. Looked for once. */
export function addressIn({ zones }: Policies, name: string): string | undefined {
  const known = addresses.get(zones) ?? new Map<string, string | undefined>()
  addresses.set(zones, known)
  if (!known.has(name)) known.set(name, findAddress(zones, name))
  return known.get(name)
}

/** Of a network with thousands of sites a few will do. */
const MOST_LOOKED_AT = 100

function findAddress(zones: Policies['zones'], name: string): string | undefined {
  const all = [...zones.values()]
  const zone = zones.get(name)
  const inside = (address: string) => all.filter((one) => one.contains(address)).length
  if (!zone) return ['0.0.0.0', ...all.flatMap(edgesOf), '::'].find((address) => inside(address) === 0)
  const candidates = edgesOf(zone).filter((address) => zone.contains(address))
  return candidates.slice(0, MOST_LOOKED_AT).sort((a, b) => inside(a) - inside(b))[0]
}
