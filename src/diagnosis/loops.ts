/**
 * Browsers that open the same app again and again: the app has them, does not keep them, and nobody here sees why. Known in
 * this process only; a guess that is missed costs nothing.
 */
import { type Clock, type Instant, minutes, seconds } from '#core/clock'
import { createRecent } from '#core/recent'
import type { Seen, Via } from './seen.ts'

const WITHIN = seconds(30)
/** More often than somebody clicks. */
const MOST = 5
/** Tabs that open together do so at the same moment; a loop takes its time. */
const AT_LEAST = seconds(2)
/** Whoever is not back after so long has stayed. */
const STAYED = minutes(1)
const KEPT = 5_000

interface Opened {
  firstAt: Instant
  lastAt: Instant
  /** In a row, none of them redeemed. */
  unredeemed: number
  /** After something was redeemed. */
  again: number
  redeemed: boolean
}

export function createLoops(clock: Clock) {
  const opened = createRecent<string, Opened>(KEPT)
  const keyOf = (app: string, session: string) => `${app} ${session}`

  return {
    opened(app: string, session: string, via: Via): { loop?: NonNullable<Seen['loop']>; stayed?: true } {
      const now = clock.now()
      // the answer of SAML is not redeemed with us
      const codes = via !== 'saml'
      const key = keyOf(app, session)
      const before = opened.get(key)
      if (!before || now - before.firstAt >= WITHIN || now < before.firstAt) {
        opened.set(key, { firstAt: now, lastAt: now, unredeemed: 1, again: 1, redeemed: false })
        const stayed = before && now - before.lastAt >= STAYED && (before.redeemed || !codes)
        return stayed ? { stayed } : {}
      }
      before.lastAt = now
      before.unredeemed++
      if (before.redeemed || !codes) before.again++
      before.redeemed = false
      const within = Math.round((now - before.firstAt) / 1000)
      if (now - before.firstAt < AT_LEAST) return {}
      if (before.again >= MOST)
        return { loop: { via, times: before.again, within, ...(codes ? { redeemed: true } : {}) } }
      if (codes && before.unredeemed >= MOST)
        return { loop: { via, times: before.unredeemed, within, redeemed: false } }
      return {}
    },

    redeemed(app: string, session: string): void {
      const one = opened.get(keyOf(app, session))
      if (!one) return
      one.redeemed = true
      one.unredeemed = 0
    },
  }
}
