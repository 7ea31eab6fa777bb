/**
 * What a program did before: the networks that it came from, how often it asks, and how often in a row somebody failed to be it.
 * One bounded row of short-lived state for each program, changed by compare-and-swap, so that all processes see the same.
 *
 * INVARIANT: nothing here lets anybody in; what is not known is not told. A network becomes known by what was let in from it,
 * and only a day later, so that whoever is refused or cut because of it does not make it known by asking again.
 */
import { isIP, isIPv4 } from 'node:net'
import type { Audit } from '#audit'
import { type Clock, days, hours, type Instant, type Millis, seconds } from '#core/clock'
import { createRecent } from '#core/recent'
import { sourceOf } from '#http'
import type { State } from '#storage'

/** What of it is known, in the words of facts; what is not known is left out. */
export interface ClientFacts {
  readonly network_known?: boolean
  /** In a row, from this network, within an hour. */
  readonly failures?: number
  /** Requests of this hour, as a multiple of the busiest hour before. */
  readonly volume?: number
}

export interface ClientPasts {
  of(client: string, address: string): Promise<ClientFacts>
  /** It has shown who it is, and was let in or not. `counts`: a request for tokens, one of its volume. */
  asked(client: string, about: { address: string; letIn: boolean; counts?: boolean }): Promise<void>
  /** Somebody was not it. */
  failed(client: string, address: string): Promise<void>
  /** For people. */
  show(client: string): Promise<{ networks: { network: string; since: Instant }[]; busiest: number | undefined }>
}

export interface ClientPastsOptions {
  readonly state: State
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
}

interface Row {
  /** When it was let in for the first time. */
  readonly began?: Instant
  /** Each with the first time, the oldest first. */
  readonly networks: readonly (readonly [network: string, since: Instant])[]
  readonly failures: readonly (readonly [network: string, count: number, last: Instant])[]
  /** Until then failures from networks that are not in the list are not known: there were more than it holds. */
  readonly lost?: Instant
  /** Hours since 1970, the oldest first. */
  readonly hours: readonly (readonly [hour: number, count: number])[]
}

/** So long it is learned what is usual; so long a network is new. */
const LEARNING = days(1)
const LOOKS_BACK = days(14)
const LIFE = days(60)
const IN_A_ROW = hours(1)
const MOST_NETWORKS = 100
const MOST_FAILING = 20
/** Less than so many an hour is nothing unusual. */
const LEAST_BUSY = 10
/** Requests are written down together, so often in each process. */
const TOGETHER = seconds(10)
const KEPT = 10_000
/** Told in the trail: so many times the busiest hour, and at least so many. */
const UNUSUAL = { times: 5, least: 100 }
const FAILING = [5, 50, 500, 5000]

const EMPTY: Row = { networks: [], failures: [], hours: [] }
const keyFor = (client: string): string => `client-past:${client}`
const hourOf = (at: Instant): number => Math.floor(at / hours(1))

/** Its neighbours are the same network: a program behind several addresses of one site is at one place. */
export const networkOf = (address: string): string =>
  isIPv4(address) ? `${address.slice(0, address.lastIndexOf('.'))}.0/24` : sourceOf(address)

export function openClientPasts({ state, clock, audit }: ClientPastsOptions): ClientPasts {
  const kept = state.keep(rowOf)
  const pending = createRecent<string, { count: number; since: Instant }>(KEPT)

  const rowFor = async (client: string): Promise<Row> => {
    const key = keyFor(client)
    return kept.known(key) ?? (await kept.of(key)) ?? EMPTY
  }

  async function change(client: string, next: (row: Row) => Row): Promise<Row> {
    const key = keyFor(client)
    for (;;) {
      const text = await state.get(key)
      const row = next((text === undefined ? undefined : rowOf(text)) ?? EMPTY)
      const value = JSON.stringify(row)
      const done =
        text === undefined
          ? await state.add(key, value, { ttl: LIFE })
          : await state.compareAndSwap(key, text, value, { ttl: LIFE })
      if (done) return row
    }
  }

  /** Once in so long, on whatever process. */
  async function tell(event: Telling, client: string, about: { reason?: string; count?: number }, once: Millis) {
    const first = await state.add(`${keyFor(client)}:${event}:${about.reason ?? ''}`, '', { ttl: once })
    if (first) await audit.record(event, { actor: client, app: client, ...about })
  }

  return Object.freeze({
    async of(client: string, address: string) {
      const row = await rowFor(client)
      const now = clock.now()
      const network = networkOf(address)
      const isPlace = isIP(address) !== 0
      const learned = row.began !== undefined && now - row.began >= LEARNING
      const failures = isPlace ? failuresFrom(row, network, now) : undefined
      return {
        ...(learned && isPlace ? { network_known: isKnown(row, network, now) } : {}),
        ...(failures === undefined ? {} : { failures }),
        ...(learned ? { volume: volumeOf(row, now, pending.get(client)?.count ?? 0) } : {}),
      }
    },

    async asked(client: string, { address, letIn, counts = true }: Parameters<ClientPasts['asked']>[1]) {
      const row = await rowFor(client)
      const now = clock.now()
      const network = networkOf(address)
      const waiting = pending.get(client) ?? { count: 0, since: now }
      if (counts) waiting.count++
      pending.set(client, waiting)
      const isThere = row.networks.some(([one]) => one === network)
      const isNew = !isThere && isIP(address) !== 0
      if (isNew && row.began !== undefined && now - row.began >= LEARNING)
        await tell('client-network-new', client, { reason: network }, LEARNING)
      const clears = letIn && row.failures.some(([one]) => one === network)
      const isDue = waiting.count > 0 && (now - waiting.since >= TOGETHER || now < waiting.since)
      if (!(letIn && (isNew || row.began === undefined)) && !clears && !isDue) return
      const { count } = waiting
      pending.delete(client)
      const written = await change(client, (before) => {
        const counted = withMore(before, now, count)
        return letIn ? withLetIn(counted, isNew ? network : undefined, network, now) : counted
      })
      if (written.began === undefined || now - written.began < LEARNING) return
      const hour = written.hours.at(-1)?.[1] ?? 0
      if (hour >= UNUSUAL.least && volumeOf(written, now, 0) >= UNUSUAL.times)
        await tell('client-volume-unusual', client, { count: hour }, hours(1))
    },

    async failed(client: string, address: string) {
      if (isIP(address) === 0) return
      const now = clock.now()
      const network = networkOf(address)
      const written = await change(client, (row) => withFailure(row, network, now))
      const count = failuresFrom(written, network, now) ?? 0
      if (FAILING.includes(count)) await tell('client-failing', client, { reason: network, count }, seconds(1))
    },

    async show(client: string) {
      const { networks, hours: counted } = await rowFor(client)
      const now = hourOf(clock.now())
      const before = counted.filter(([hour]) => hour < now).map(([, count]) => count)
      return {
        networks: networks.map(([network, since]) => ({ network, since })),
        busiest: before.length > 0 ? Math.max(...before) : undefined,
      }
    },
  })
}

type Telling = 'client-network-new' | 'client-volume-unusual' | 'client-failing'

/** What it used while it was learned what is usual is known at once. */
function isKnown({ began, networks }: Row, network: string, now: Instant): boolean {
  const since = networks.find(([one]) => one === network)?.[1]
  return since !== undefined && (since < began! + LEARNING || now - since >= LEARNING)
}

function failuresFrom({ failures, lost = 0 }: Row, network: string, now: Instant): number | undefined {
  const found = failures.find(([one]) => one === network)
  if (!found) return now < lost ? undefined : 0
  const [, count, last] = found
  return now - last < IN_A_ROW ? count : 0
}

function volumeOf({ hours: counted }: Row, now: Instant, more: number): number {
  const current = hourOf(now)
  const before = counted.filter(([hour]) => hour < current).map(([, count]) => count)
  const usual = Math.max(LEAST_BUSY, ...before)
  const count = (counted.find(([hour]) => hour === current)?.[1] ?? 0) + more
  return Math.round((count / usual) * 100) / 100
}

function withMore(row: Row, now: Instant, more: number): Row {
  const current = hourOf(now)
  // what a clock that ran ahead has written would count as the past for as long as that clock was wrong
  const young = row.hours.filter(([hour]) => hour > current - LOOKS_BACK / hours(1) && hour <= current)
  const last = young.at(-1)
  if (last?.[0] === current) return { ...row, hours: [...young.slice(0, -1), [current, last[1] + more]] }
  return { ...row, hours: more > 0 ? [...young, [current, more]] : young }
}

function withLetIn(row: Row, added: string | undefined, network: string, now: Instant): Row {
  const networks =
    added === undefined || row.networks.some(([one]) => one === added)
      ? row.networks
      : [...row.networks, [added, now] as const].slice(-MOST_NETWORKS)
  return { ...row, began: row.began ?? now, networks, failures: row.failures.filter(([one]) => one !== network) }
}

function withFailure(row: Row, network: string, now: Instant): Row {
  const before = failuresFrom(row, network, now) ?? 0
  const others = row.failures.filter(([one, , last]) => one !== network && now - last < IN_A_ROW)
  const failures = [...others, [network, before + 1, now] as const]
  const isFull = failures.length > MOST_FAILING
  return { ...row, failures: failures.slice(-MOST_FAILING), ...(isFull && { lost: now + IN_A_ROW }) }
}

/** Undefined for a text that is no such row: what cannot be read is not known, and begun anew. */
function rowOf(text: string): Row | undefined {
  try {
    const row = JSON.parse(text) as Row
    const lists = [row.networks, row.failures, row.hours]
    return lists.every((list) => Array.isArray(list) && list.every(Array.isArray)) ? row : undefined
  } catch {
    return undefined
  }
}
