/**
 * What a person did before: the sign-ins that journeys are measured from, the countries, and how often things happened.
 * Two small rows of short-lived state for each person, changed by compare-and-swap: one with counters, which lives as
 * long as the longest window that a rule looks at, and one with sign-ins, which lives for 400 days.
 *
 * Addresses are kept, not places: whoever asks looks them up in the database and the site files of that day.
 */
import { type Clock, days, type Instant, type Millis } from '#core/clock'
import type { State, StateOptions } from '#storage'
import { addOne, type Bucket, countWithin, together, WIDEST } from './buckets.ts'

export type Counter = 'sign_ins' | 'failures' | 'app_opens' | 'prompts'

export interface SignIn {
  readonly at: Instant
  readonly address: string
}

/** The last sign-in that a policy with rules on journeys had nothing against, or the very first. */
export interface Trusted extends SignIn {
  /** Where it saw this person, each with the last time; only kept while a rule of it looks at that. */
  readonly countries: Readonly<Record<string, Instant>>
}

export interface Past {
  /** The last sign-in that was carried through. */
  readonly last: SignIn
  /** By the policy that says so: one that minds journeys less does not vouch for another. */
  readonly trusted: Readonly<Record<string, Trusted>>
}

/** What a policy with rules on journeys said to a sign-in. */
export interface Judged {
  readonly policy: string
  readonly content: boolean
  readonly country?: string | undefined
}

/** What is counted, and for how long each is kept. */
export type Kept = ReadonlyMap<Counter, Millis>

export interface History {
  /** Undefined for somebody new; `unreadable` where it cannot be told. One read. */
  past(person: string): Promise<Past | undefined | 'unreadable'>
  /** How often within so long before `at`. `unreadable` where it cannot be told. One read for all counters. */
  counts(person: string, at: Instant): Promise<((counter: Counter, within: Millis) => number) | 'unreadable'>
  /** Something happened once more. Counters that are not in `kept` are dropped. */
  count(person: string, counter: Counter, kept: Kept): Promise<void>
  /** A sign-in was carried through. `judged` by every policy in force that looks at journeys; what others said is dropped. */
  signedIn(person: string, about: { address: string; judged: readonly Judged[] }): Promise<void>
  forget(person: string): Promise<void>
  /** One person becomes another: what both did is counted together, and the later sign-in is the last. */
  move(from: string, into: string): Promise<void>
}

/**
 * What a policy measures journeys from, beside the last sign-in. One that has said nothing yet begins with what others
 * trusted the longest ago, or else with the last sign-in: a rule that is switched on must not begin blind.
 */
export function trustedBy({ last, trusted }: Past, policy: string | undefined): Trusted {
  if (policy !== undefined && Object.hasOwn(trusted, policy)) return trusted[policy]!
  const [oldest] = Object.values(trusted).sort((a, b) => a.at - b.at)
  return oldest ?? { ...last, countries: {} }
}

const LIFE: Millis = days(400)
const MOST_COUNTRIES = 40

const pastKey = (person: string) => `history-past:${person}`
const countsKey = (person: string) => `history-counts:${person}`

type Counts = Partial<Record<Counter, readonly Bucket[]>>

export function openHistory({ state, clock }: { readonly state: State; readonly clock: Clock }): History {
  /** Again and again until nobody was in between. What cannot be read is begun anew. */
  async function change(key: string, ttl: Millis, next: (text: string | undefined) => string): Promise<void> {
    const options: StateOptions = { ttl }
    for (;;) {
      const text = await state.get(key)
      if (text !== undefined && isDamaged(text)) return state.set(key, next(undefined), options)
      const done =
        text === undefined
          ? await state.add(key, next(undefined), options)
          : await state.compareAndSwap(key, text, next(text), options)
      if (done) return
    }
  }

  const forget = async (person: string): Promise<void> => {
    await Promise.all([state.delete(pastKey(person)), state.delete(countsKey(person))])
  }

  return Object.freeze({
    async past(person: string) {
      const text = await state.get(pastKey(person))
      return text === undefined ? undefined : (parse<Past>(text, isPast) ?? 'unreadable')
    },

    async counts(person: string, at: Instant) {
      const text = await state.get(countsKey(person))
      const counts = text === undefined ? {} : parse<Counts>(text, isCounts)
      if (!counts) return 'unreadable'
      return (counter: Counter, within: Millis) => countWithin(counts[counter] ?? [], at, within)
    },

    async count(person: string, counter: Counter, kept: Kept) {
      const now = clock.now()
      await change(countsKey(person), Math.max(...kept.values()) + WIDEST, (text) => {
        const before = (text === undefined ? undefined : parse<Counts>(text, isCounts)) ?? {}
        const after: Counts = {}
        for (const [name, keep] of kept) {
          const buckets = before[name] ?? []
          const added = name === counter ? addOne(buckets, now, keep) : buckets
          if (added.length > 0) after[name] = added
        }
        return JSON.stringify(after)
      })
    },

    async signedIn(person: string, { address, judged }: { address: string; judged: readonly Judged[] }) {
      const last: SignIn = { at: clock.now(), address }
      await change(pastKey(person), LIFE, (text) => {
        const before = text === undefined ? undefined : parse<Past>(text, isPast)
        const trusted = judged.map(({ policy, content, country }) => {
          const known = before && trustedBy(before, policy)
          if (known && !content) return [policy, known] as const
          const countries = { ...known?.countries, ...(country ? { [country]: last.at } : {}) }
          const kept = Object.entries(countries).sort(([, a], [, b]) => b - a)
          return [policy, { ...last, countries: Object.fromEntries(kept.slice(0, MOST_COUNTRIES)) }] as const
        })
        return JSON.stringify({ last, trusted: Object.fromEntries(trusted) } satisfies Past)
      })
    },

    async move(from: string, into: string) {
      const [past, counts] = [await state.get(pastKey(from)), await state.get(countsKey(from))]
      const theirs = past === undefined ? undefined : parse<Past>(past, isPast)
      if (theirs)
        await change(pastKey(into), LIFE, (text) =>
          JSON.stringify(joined(theirs, text === undefined ? undefined : parse<Past>(text, isPast))),
        )
      const counted = counts === undefined ? undefined : parse<Counts>(counts, isCounts)
      if (counted)
        await change(countsKey(into), LIFE, (text) => {
          const own = (text === undefined ? undefined : parse<Counts>(text, isCounts)) ?? {}
          const names = new Set([...Object.keys(own), ...Object.keys(counted)] as Counter[])
          return JSON.stringify(
            Object.fromEntries([...names].map((name) => [name, together(own[name] ?? [], counted[name] ?? [])])),
          )
        })
      // INVARIANT: last; a process that dies before counts twice, and never too little
      if (past !== undefined || counts !== undefined) await forget(from)
    },

    forget,
  })
}

const newer = <T extends SignIn>(one: T, other: T): T => (one.at > other.at ? one : other)

/** A policy trusts both of them from the later of the two sign-ins that it had nothing against. */
function joined(one: Past, other: Past | undefined): Past {
  if (!other) return one
  const trusted: Record<string, Trusted> = { ...one.trusted, ...other.trusted }
  for (const [policy, theirs] of Object.entries(one.trusted)) {
    const own = Object.hasOwn(other.trusted, policy) ? other.trusted[policy]! : theirs
    const countries = { ...own.countries }
    for (const [country, at] of Object.entries(theirs.countries))
      countries[country] = Math.max(at, countries[country] ?? 0)
    trusted[policy] = { ...newer(theirs, own), countries }
  }
  return { last: newer(one.last, other.last), trusted }
}

/** Bytes that are no text are read as this sign: such a value equals nothing that it could be swapped for. */
const isDamaged = (text: string): boolean => text.includes('\uFFFD')

/** Undefined for a text that is no such row: somebody flipped bytes. */
function parse<T>(text: string, fits: (value: unknown) => boolean): T | undefined {
  if (isDamaged(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return fits(value) ? (value as T) : undefined
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const isSignIn = (value: unknown) =>
  isRecord(value) && typeof value['at'] === 'number' && typeof value['address'] === 'string'
const isTrusted = (value: unknown) => isSignIn(value) && isRecord((value as Partial<Trusted>).countries)
const isPast = (value: unknown) =>
  isRecord(value) &&
  isSignIn(value['last']) &&
  isRecord(value['trusted']) &&
  Object.values(value['trusted']).every(isTrusted)
const isBucket = (value: unknown) =>
  Array.isArray(value) && Number.isSafeInteger(value[0]) && Number.isSafeInteger(value[1])
const isCounts = (value: unknown) =>
  isRecord(value) && Object.values(value).every((list) => Array.isArray(list) && list.every(isBucket))
