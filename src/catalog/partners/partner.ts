/** What a registered app has that came from a partner's contract. */
import type { Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import { present } from '../protocols/protocol.ts'

export interface Contact {
  readonly name: string
  readonly email: string
}

/** The stored form, in the words of a contract. */
export interface PartnerDefinition {
  readonly contacts: readonly Contact[]
  readonly allow_secret?: string
  readonly networks?: readonly string[]
  readonly quota?: { readonly tokens?: string | undefined; readonly calls?: string | undefined }
  /** The last day, by UTC. */
  readonly expires?: string
}

/** At most so many within a time. */
export interface Rate {
  readonly most: number
  /** Milliseconds. */
  readonly within: number
}

/** `600/1m`: at least a second, at most a day. */
export function parseRate(text: string): Rate | undefined {
  const [, most, length = ''] = /^([1-9]\d{0,8})\/(\d+[smhd])$/.exec(text) ?? []
  const within = parseDuration(length)
  const fits = within !== undefined && within >= 1000 && within <= 86_400_000
  return most !== undefined && fits ? { most: Number(most), within } : undefined
}

export interface AppPartner {
  readonly contacts: readonly Contact[]
  /** Where its requests come from; absent: anywhere. */
  readonly networks?: readonly string[]
  readonly quota: { readonly tokens?: Rate; readonly calls?: Rate }
  /** From then on it gets no tokens, and those that it has are over. */
  readonly endsAt?: Instant
  /** Somebody ended it before its time, then. */
  readonly endedAt?: Instant
}

const DAY = 86_400_000

export function toPartner(
  { contacts, networks, quota, expires }: PartnerDefinition,
  endedAt: Instant | undefined,
): AppPartner {
  const last = expires === undefined ? undefined : Date.parse(`${expires}T00:00:00Z`) + DAY
  const endsAt = endedAt === undefined ? last : Math.min(endedAt, last ?? endedAt)
  const rateOf = (text: string | undefined) => (text === undefined ? undefined : parseRate(text))
  return {
    contacts,
    quota: present({ tokens: rateOf(quota?.tokens), calls: rateOf(quota?.calls) }),
    ...present({ networks, endsAt, endedAt }),
  }
}
