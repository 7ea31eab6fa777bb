/**
 * Clients whose id is the address of a document about them (OAuth Client ID Metadata Document): read when one of them comes along,
 * kept for a while in what all processes share, and an app like every other as long as it is kept.
 */
import { type Clock, hours, type Instant, minutes, seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Log } from '#core/log'
import { createRecent } from '#core/recent'
import { Refusal } from '#core/refusal'
import { isLoopback, type Outbound } from '#http'
import type { State } from '#storage'
import { type App, type Definition, toApp } from '../app.ts'
import type { CheckOptions } from '../rules.ts'
import { type DocumentTerms, toDefinition } from './metadata.ts'

export interface DocumentSettings extends DocumentTerms {
  readonly hosts: readonly string[]
  /** Milliseconds. */
  readonly cache: number
}

export interface Documents {
  /** Whether it is the address of a document that may be read. Asks nobody. */
  covers(id: string): boolean
  /** As it was read last, which may be a while ago; undefined where nobody has. Asks nobody outside. */
  known(id: string): Promise<App | undefined>
  /** For whoever lets the client in: read anew where it is time. Undefined where it is no client (any more). */
  read(id: string): Promise<App | undefined>
}

export interface DocumentRooms {
  readonly settings: DocumentSettings
  readonly outbound: Outbound
  readonly state: Pick<State, 'keep' | 'set'>
  readonly clock: Clock
  readonly log: Log
  readonly check: () => Promise<CheckOptions>
}

interface Stored {
  readonly definition: Definition
  readonly readAt: Instant
  readonly freshUntil: Instant
}

const LONGEST_ID = 200
/** Bytes. */
const LARGEST = 16_384
/** Tokens that it got live as long at most, and those who are asked about them have to know it. */
const REMEMBERED = hours(25)
const SHORTEST = minutes(1)
/** ATTACK: whoever names addresses at which there is nothing would have us ask for each again and again. */
const ASKED_AGAIN = seconds(30)
const MOST_AT_ONCE = 20
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json(?:;|$)/i

export function createDocuments({ settings, outbound, state, clock, log, check }: DocumentRooms): Documents {
  const hosts = new Set(settings.hosts)
  // what other settings made of a document is none of ours
  const terms = JSON.stringify([settings.policy, settings.audience, settings.scopes, settings.apis])
  const keyOf = (id: string): string => `client-document:${sha256(`${terms} ${id}`)}`
  const refusedAt = createRecent<string, Instant>(1000)
  const reading = new Map<string, Promise<App | undefined>>()
  const kept = state.keep((value) => {
    const { definition, readAt, freshUntil }: Stored = JSON.parse(value)
    return { app: toApp(definition, { createdAt: readAt, changedAt: readAt }), freshUntil }
  })

  /** §3: in the one spelling, with a path, and without anything that could name the same document otherwise. */
  function covers(id: string): boolean {
    if (!id.startsWith('http') || id.length > LONGEST_ID) return false
    const url = URL.parse(id)
    if (!url || url.href !== id || url.pathname === '/' || /[?#@\\%]/.test(id)) return false
    const secure = url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
    return secure && hosts.has(url.host)
  }

  const stored = async (id: string) => kept.known(keyOf(id)) ?? kept.of(keyOf(id))

  async function fetched(id: string): Promise<App | undefined> {
    const now = clock.now()
    const made = await documentAt(id)
    if ('fault' in made) {
      refusedAt.set(id, now)
      log.warn('client-document-refused', { client: id, why: made.fault })
      return undefined
    }
    const { definition, maxAge } = made
    const life = Math.min(settings.cache, Math.max(SHORTEST, maxAge ?? settings.cache))
    const row: Stored = { definition, readAt: now, freshUntil: now + life }
    await state.set(keyOf(id), JSON.stringify(row), { ttl: life + REMEMBERED })
    return (await kept.of(keyOf(id)))?.app
  }

  async function documentAt(id: string) {
    try {
      const { status, headers, body } = await outbound(id, { headers: { accept: 'application/json' }, limit: LARGEST })
      if (status !== 200) return { fault: `status ${status}` }
      if (!JSON_TYPE.test(headers['content-type'] ?? '')) return { fault: 'content type' }
      const made = toDefinition(id, JSON.parse(body), settings, await check())
      // RFC 9111 §5.2.2.1
      const age = /(?:^|,)\s*max-age=(\d{1,9})\b/i.exec(headers['cache-control'] ?? '')?.[1]
      return 'fault' in made ? made : { ...made, maxAge: age === undefined ? undefined : Number(age) * 1000 }
    } catch (error) {
      if (error instanceof Refusal) return { fault: error.code }
      if (error instanceof SyntaxError) return { fault: 'no JSON' }
      throw error
    }
  }

  return Object.freeze({
    covers,
    known: async (id: string) => (await stored(id))?.app,
    async read(id: string) {
      const there = await stored(id)
      const now = clock.now()
      if (there && there.freshUntil > now) return there.app
      if (now - (refusedAt.get(id) ?? Number.NEGATIVE_INFINITY) < ASKED_AGAIN) return undefined
      const begun = reading.get(id)
      if (begun) return begun
      if (reading.size >= MOST_AT_ONCE) return undefined
      const asking = fetched(id).finally(() => reading.delete(id))
      reading.set(id, asking)
      return asking
    },
  })
}
