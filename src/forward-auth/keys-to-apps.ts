/** What opens an app in one browser: first a code that is handed over once, then a cookie of the app's own host. */
import type { Clock, Instant } from '#core/clock'
import { seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import { createRecent } from '#core/recent'
import { type Session, type SignOutWay, withSession } from '#sessions'
import type { Soon, State } from '#storage'
import type { Opening } from './opening.ts'

/** By what an app was opened, and for whom. */
export interface AppKey {
  readonly session: string
  readonly person: string
  readonly app: string
  readonly origin: string
  /** When the opening began: what `within: 0s` counts from as long as the cookie opens the app. */
  readonly since: Instant
}

export interface HandOver extends AppKey {
  readonly uri: string
  readonly nonce: string
}

/** A redirect takes no longer. */
export const CODE_LIFE = seconds(60)
const LENGTH = 43

/** Not the host's name: hosts that differ in the port only share their cookies (RFC 6265 §8.5). */
export function appCookie(host: string): string {
  let name = names.get(host)
  if (name === undefined) {
    name = `portico-app-${sha256(host).slice(0, 8)}`
    names.set(host, name)
  }
  return name
}

const names = createRecent<string, string>(1_000)

/** INVARIANT: all that stands here goes in the moment the session ends, with its group. Only hashes are kept. */
export function createAppKeys({ state, clock }: { state: State; clock: Clock }) {
  const codeKey = (code: string) => `forward-auth-code:${sha256(code)}`
  const cookieKey = (cookie: string) => `forward-auth:${sha256(cookie)}`

  const kept = state.keep((value, id) => ({ ...(JSON.parse(value) as AppKey), id }))

  return {
    async handOver(about: AppKey, { uri, nonce }: Opening): Promise<string> {
      const code = randomId(32)
      const value: HandOver = { ...about, uri, nonce }
      await state.set(codeKey(code), JSON.stringify(value), { ttl: CODE_LIFE, group: withSession(about.session) })
      return code
    },
    /** Of any number of callers one gets it, and whoever is wrong about the rest has used it up. */
    async spend(code: string): Promise<HandOver | undefined> {
      const value = code.length === LENGTH ? await state.take(codeKey(code)) : undefined
      return value === undefined ? undefined : JSON.parse(value)
    },
    /** The value of the cookie. */
    async make({ session, person, app, origin, since }: AppKey, { endsAt }: Session): Promise<string> {
      const cookie = randomId(32)
      const value: AppKey = { session, person, app, origin, since }
      const ttl = Math.max(endsAt - clock.now(), 0)
      await state.set(cookieKey(cookie), JSON.stringify(value), { ttl, group: withSession(session) })
      return cookie
    },
    /** As of the beginning of the request; what cannot be ours costs no read. */
    find(cookie: string | undefined): Soon<(AppKey & { readonly id: string }) | undefined> {
      if (cookie?.length !== LENGTH) return undefined
      const id = cookieKey(cookie)
      return kept.known(id) ?? kept.of(id)
    },
    async forget(cookie: string | undefined): Promise<void> {
      if (cookie?.length === LENGTH) await state.delete(cookieKey(cookie))
    },
  }
}

export type AppKeys = ReturnType<typeof createAppKeys>

/** The keys went with the session, before anybody is told anything: an app behind a proxy is closed by its next request. */
export const signOutWay: SignOutWay = Object.freeze({
  via: 'forward-auth',
  tell: async () => ({ how: 'at-once' }) as const,
})
