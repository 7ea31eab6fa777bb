/**
 * Opening an app in a browser: what the browser carries from the app's host to ours. The nonce stays in a cookie of the app's
 * host; the address that leads to us names only its hash.
 *
 * INVARIANT: where a browser is sent back to was written by us, and is on a host that is registered: the address is sealed
 * with a key of ours, so nobody else can make one.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '#core/clock'
import { minutes } from '#core/clock'
import { constantTimeEqual, sha256 } from '#core/digest'
import { randomId } from '#core/random'
import type { Target } from '#http'

export interface Opening {
  readonly host: string
  readonly origin: string
  /** Path and query. */
  readonly uri: string
  /** SHA-256 of what the browser has in its cookie. */
  readonly nonce: string
}

/** As long as a conversation may take (`signin/`). */
const LIFE = minutes(60)
/** Longer ones would not pass every proxy's limits on headers: then the app opens at its start. */
const LONGEST_URI = 3_000
const MOST_OPEN = 6
export const OPENING_COOKIE = 'portico-open-'
export const OPENING_LIFE = LIFE / 1000
const NAME = new RegExp(`^${OPENING_COOKIE}[\\w-]{8}$`)

/** One for each tab: of the cookies that several get at once, none takes another's place. */
export const openingCookie = (nonce: string): string => `${OPENING_COOKIE}${nonce.slice(0, 8)}`

export function createOpenings({ key, clock }: { key: Buffer; clock: Clock }) {
  const seal = (text: string) => createHmac('sha256', key).update(text).digest('base64url')

  return {
    /** The nonce for a browser's cookie, and what to send along. */
    begin({ host, origin, uri }: Target, cookies: ReadonlyMap<string, string>) {
      const open = [...cookies].filter(([name]) => NAME.test(name))
      // ATTACK: a page that sends a browser here a thousand times must not fill it with cookies
      const nonce = open.length < MOST_OPEN ? randomId(32) : open[0]![1]
      const opening: Opening = { host, origin, uri: uri.length > LONGEST_URI ? '/' : uri, nonce: sha256(nonce) }
      const text = Buffer.from(JSON.stringify({ ...opening, at: clock.now() })).toString('base64url')
      return { nonce, opening, token: `${text}.${seal(text)}` }
    },
    /** Undefined for what we did not write, or too long ago. */
    read(token: string | null): Opening | undefined {
      const [text = '', tag = '', ...more] = (token ?? '').split('.')
      if (more.length > 0 || !constantTimeEqual(seal(text), tag)) return undefined
      const { at, ...opening } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Opening & { at: number }
      const age = clock.now() - at
      return age >= -LIFE && age < LIFE ? opening : undefined
    },
  }
}

export type Openings = ReturnType<typeof createOpenings>
