/** Both ends of one sign-in: who signs out at the other provider is out here, and the other way round. */
import { minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { Refusal } from '#core/refusal'
import { type Answer, json, type PageRequest } from '#http'
import { noteSeldom } from './away.ts'
import type { SigninRooms } from './rooms.ts'

/** Longer than a message may be on its way: within it a second one of the same id is the first one again. */
const REPLAYED = minutes(15)

export function createUpstreamEnding(rooms: SigninRooms) {
  const { people, sessions, upstreamSessions, storage, log, issuer } = rooms
  const { federation } = people

  return {
    async logoutUrl(sessionId: string): Promise<string | undefined> {
      const held = await upstreamSessions.of(sessionId)
      if (!held) return undefined
      try {
        return await federation.logoutUrl(held.directory, held.upstream, `${issuer}/signout`)
      } catch (cause) {
        // signing out here must not wait for a provider that is down
        log.warn('upstream-logout-failed', { directory: held.directory }, cause)
        return undefined
      }
    },

    /** OpenID Connect Back-Channel Logout 1.0 §2.8: 200 once everything has ended, 400 for what is not accepted. */
    async loggedOut(request: PageRequest): Promise<Answer> {
      const directory = request.params['directory'] ?? ''
      try {
        const told = await federation.loggedOut(directory, await request.form())
        const mark = `upstream-logout:${directory}:${sha256(told.id)}`
        if ((await storage.state.get(mark)) === undefined)
          for (const id of await upstreamSessions.find(directory, told))
            await sessions.end(id, 'upstream-signed-out', 'system')
        // only now: what failed half-way is done again when the provider says it again
        await storage.state.set(mark, '', { ttl: REPLAYED })
        return { status: 200, headers: { 'cache-control': 'no-store' } }
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'upstream-refused') throw error
        await noteSeldom(rooms, error, directory, request.id)
        return json({ error: 'invalid_request' }, 400)
      }
    },

    async metadata(request: PageRequest): Promise<Answer> {
      const { type, body } = await federation.metadata(request.params['directory'] ?? '')
      return { status: 200, headers: { 'content-type': type, 'cache-control': 'no-store' }, body }
    },
  }
}
