/**
 * Quotas: so many within a sliding window, over all processes. A small row of short-lived state for each holder, changed by
 * compare-and-swap; all who wait for the same row in a process are served by one change of it.
 *
 * INVARIANT: within no window, wherever it begins, more are let in than the quota says. A part of a window counts as a
 * whole as long as any of it may lie in the window, so that up to a sixtieth of it is late.
 */
import type { Audit } from '#audit'
import type { Clock, Instant, Millis } from '#core/clock'
import { formatDuration } from '#core/duration'
import { Refusal } from '#core/refusal'
import type { State } from '#storage'

export interface Quota {
  readonly most: number
  readonly within: Millis
}

/** What is counted. */
export type QuotaKind = 'tokens' | 'calls'

export interface Taken {
  readonly kind: QuotaKind
  readonly quota: Quota
  readonly allowed: boolean
  /** How many more there are now. */
  readonly left: number
  /** Seconds until there are more. */
  readonly more: number
}

export interface Quotas {
  /** One of it for `client`. Throws Refusal `storage-unavailable`. */
  take(client: string, kind: QuotaKind, quota: Quota): Promise<Taken>
}

export interface QuotasOptions {
  readonly state: State
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
}

/** `parts`: [which one since 1970, how many], the oldest first. */
interface Row {
  readonly width: Millis
  readonly parts: readonly (readonly [part: number, count: number])[]
}

interface Waiting {
  quota: Quota
  readonly answers: PromiseWithResolvers<Omit<Taken, 'kind' | 'quota'>>[]
}

const PARTS = 60
const MOST_TRIES = 100

export function openQuotas({ state, clock, audit }: QuotasOptions): Quotas {
  const queues = new Map<string, Waiting>()

  async function serve(key: string, queue: Waiting): Promise<void> {
    while (queue.answers.length > 0) {
      const batch = queue.answers.splice(0)
      try {
        const { admitted, left, more } = await spend(key, queue.quota, batch.length)
        for (const [i, { resolve }] of batch.entries())
          resolve({ allowed: i < admitted, left: Math.max(0, left + admitted - i - 1), more })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    queues.delete(key)
  }

  async function spend(key: string, { most, within }: Quota, wanted: number) {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const text = await state.get(key)
      const now = clock.now()
      const width = Math.max(1, Math.ceil(within / PARTS))
      const parts = living(text, width, now - within)
      const used = parts.reduce((sum, [, count]) => sum + count, 0)
      const admitted = Math.min(wanted, Math.max(0, most - used))
      const oldest = parts[0]?.[0] ?? Math.floor(now / width)
      const answer = {
        admitted,
        left: Math.max(0, most - used - admitted),
        more: Math.max(1, Math.ceil(((oldest + 1) * width + within - now) / 1000)),
      }
      if (admitted === 0) return answer
      const value = JSON.stringify({ width, parts: withMore(parts, Math.floor(now / width), admitted) } satisfies Row)
      const life = { ttl: within + 2 * width }
      const written =
        text === undefined ? await state.add(key, value, life) : await state.compareAndSwap(key, text, value, life)
      if (written) return answer
    }
    throw new Refusal('state-conflict', 'quotas: a row was changed by others all the time')
  }

  return {
    async take(client, kind, quota) {
      const key = `quota:${kind}:${client}`
      const answer = Promise.withResolvers<Omit<Taken, 'kind' | 'quota'>>()
      const queue = queues.get(key)
      if (queue) {
        queue.quota = quota
        queue.answers.push(answer)
      } else {
        const begun = { quota, answers: [answer] }
        queues.set(key, begun)
        void serve(key, begun)
      }
      const taken = { kind, quota, ...(await answer.promise) }
      // once for a window, or whoever asks too much would fill the trail with it
      if (!taken.allowed && (await state.add(`${key}:told`, '', { ttl: quota.within })))
        await audit.record('quota-exceeded', { actor: client, app: client, reason: kind, count: quota.most })
      return taken
    },
  }
}

/** Those that may reach into the window, in parts of this width; where a quota was changed they had another one. */
function living(text: string | undefined, width: Millis, since: Instant): (readonly [number, number])[] {
  const row = text === undefined ? undefined : (JSON.parse(text) as Row)
  const counts = new Map<number, number>()
  for (const [part, count] of row?.parts ?? []) {
    const same = row!.width === width ? part : Math.floor(((part + 1) * row!.width - 1) / width)
    if ((same + 1) * width > since) counts.set(same, (counts.get(same) ?? 0) + count)
  }
  return [...counts].sort(([a], [b]) => a - b)
}

function withMore(parts: readonly (readonly [number, number])[], current: number, more: number) {
  const counts = new Map(parts)
  counts.set(current, (counts.get(current) ?? 0) + more)
  return [...counts].sort(([a], [b]) => a - b)
}

/** draft-ietf-httpapi-ratelimit-headers-10 §4, §5; `Retry-After` only where there is none left (RFC 6585 §4). */
export function quotaHeaders({ kind, quota, allowed, left, more }: Taken): Readonly<Record<string, string>> {
  return {
    'ratelimit-policy': `"${kind}";q=${quota.most};w=${Math.ceil(quota.within / 1000)}`,
    ratelimit: `"${kind}";r=${left};t=${more}`,
    ...(allowed ? {} : { 'retry-after': String(more) }),
  }
}

/** For whoever has to write it down: `600 within 1m`. */
export const quotaWords = ({ most, within }: Quota): string => `${most} within ${formatDuration(within)}`
