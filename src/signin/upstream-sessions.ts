/** Which of our sessions began with which session of another provider, so that both can end together. */
import { type Clock, hours } from '#core/clock'
import { sha256 } from '#core/digest'
import type { UpstreamLogout, UpstreamSession } from '#directory'
import type { Session } from '#sessions'
import type { State } from '#storage'

export interface UpstreamSessions {
  keep(session: Session, directory: string, upstream: UpstreamSession): Promise<void>
  of(sessionId: string): Promise<{ directory: string; upstream: UpstreamSession } | undefined>
  /** Ids of our sessions: those of some sessions there, or all of a subject. */
  find(directory: string, told: Pick<UpstreamLogout, 'subject' | 'sids'>): Promise<string[]>
}

/** Longer than any session may last. */
const LONGEST = hours(24 * 31)

export function createUpstreamSessions(state: State, clock: Clock): UpstreamSessions {
  const own = (sessionId: string) => `upstream-session:${sessionId}`
  const bySid = (directory: string, sid: string) => `upstream-sid:${directory}:${sha256(sid)}`
  /** A provider that does not name its sessions when it signs somebody in may name them when it signs them out. */
  const unnamed = (directory: string, subject: string) => `upstream-unnamed:${directory}:${sha256(subject)}`
  const bySubject = (directory: string, subject: string) => `upstream-subject:${directory}:${sha256(subject)}`
  return {
    async keep(session, directory, upstream) {
      const ttl = Math.min(LONGEST, Math.max(session.endsAt - clock.now(), 1000))
      const { subject, sid } = upstream
      await state.set(own(session.id), JSON.stringify({ directory, upstream }), { ttl })
      await state.addMember(bySubject(directory, subject), session.id, ttl)
      const narrower = sid === undefined ? unnamed(directory, subject) : bySid(directory, sid)
      await state.addMember(narrower, session.id, ttl)
    },
    async of(sessionId) {
      const text = await state.get(own(sessionId))
      return text === undefined ? undefined : JSON.parse(text)
    },
    async find(directory, { subject, sids }) {
      if (sids.length === 0) return subject === undefined ? [] : state.members(bySubject(directory, subject))
      // Back-Channel Logout §2.6: with a session named it is that one, even where a subject is named as well
      const others = subject === undefined ? [] : await state.members(unnamed(directory, subject))
      const named = await Promise.all(sids.map((sid) => state.members(bySid(directory, sid))))
      return [...new Set([...named.flat(), ...others])]
    },
  }
}
