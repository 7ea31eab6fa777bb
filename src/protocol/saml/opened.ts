/** Which sessions an app knows somebody by, so that it hears of their end, and can end them by the names that it was given. */
import type { Clock } from '#core/clock'
import { sha256 } from '#core/digest'
import type { NameId } from '#saml'
import { type Session, type Sessions, withSession } from '#sessions'
import type { State } from '#storage'
import type { SamlApp } from './incoming.ts'

export interface OpenedApps {
  /** Writes only where the session had not opened the app under that name. */
  note(about: { session: Session; app: SamlApp; nameId: NameId; sessionIndex: string }): Promise<void>
  /** Ids of the sessions that were told to the app under these names; without indexes, all of that name. */
  sessionsOf(app: SamlApp, nameId: NameId, sessionIndexes: readonly string[]): Promise<string[]>
}

export function createOpenedApps({
  state,
  clock,
  sessions,
}: {
  state: State
  clock: Clock
  sessions: Pick<Sessions, 'addApp'>
}): OpenedApps {
  // apps say the name back with less around it than they got: formats and qualifiers are left out by many
  const nameKey = (app: string, { value }: NameId) => `saml-name:${app}:${sha256(value.trim())}`
  const indexKey = (app: string, index: string) => `saml-index:${app}:${sha256(index)}`

  return {
    async note({ session, app, nameId, sessionIndex }) {
      if (session.apps.some((known) => known.via === 'saml' && known.app === app.id && known.sid === sessionIndex))
        return
      const ttl = Math.max(session.endsAt - clock.now(), 1000)
      const name = nameKey(app.id, nameId)
      // before the app is noted: what is noted is not written again
      await state.addMember(name, session.id, ttl)
      const told = JSON.stringify({ session: session.id, name })
      await state.set(indexKey(app.id, sessionIndex), told, { ttl, group: withSession(session.id) })
      await sessions.addApp(session, { app: app.id, sid: sessionIndex, via: 'saml', known: JSON.stringify(nameId) })
    },

    async sessionsOf(app, nameId, sessionIndexes) {
      const name = nameKey(app.id, nameId)
      if (sessionIndexes.length === 0) return state.members(name)
      const found: string[] = []
      for (const index of sessionIndexes) {
        const text = await state.get(indexKey(app.id, index))
        const told: { session: string; name: string } | undefined = text === undefined ? undefined : JSON.parse(text)
        // ATTACK: an index that goes with somebody else's name ends nothing
        if (told && told.name === name) found.push(told.session)
      }
      return [...new Set(found)]
    },
  }
}
