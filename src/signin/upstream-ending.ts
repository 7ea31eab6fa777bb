/** Both ends of one sign-in: who signs out at the other provider is out here, and the other way round. */
import { minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { Refusal } from '#core/refusal'
import type { Told } from '#directory'
import { type Answer, type PageRequest, redirect, type Sending } from '#http'
import { openingView } from '#pages'
import { noteSeldom } from './away.ts'
import type { SigninRooms } from './rooms.ts'

/** Longer than a message may be on its way: within it a second one of the same id is the first one again. */
const REPLAYED = minutes(15)

export function createUpstreamEnding(rooms: Omit<SigninRooms, 'errands' | 'signOut'>) {
  const { people, presenter, sessions, upstreamSessions, storage, log, issuer } = rooms
  const { federation } = people
  const signedOut = `${issuer}/signout`

  /** What began while the provider could not be asked began with no session there, and only waited for its word. */
  async function begunWithout(personId: string | undefined): Promise<string[]> {
    const all = personId === undefined ? [] : await sessions.ofPerson(personId)
    return all.filter(({ authenticated }) => authenticated.some((one) => one.duringOutage)).map(({ id }) => id)
  }

  /** A page that takes our answer there. */
  function byForm(request: PageRequest, directory: string, { url, fields = {} }: Sending): Answer {
    const app = federation.choices().find(({ id }) => id === directory)?.title ?? directory
    const view = { app, action: url, fields }
    return presenter.page(request, (messages) => openingView(view, messages), { formTargets: [url] })
  }

  return {
    /**
     * Where the browser goes so that a session ends at the provider that it began with as well; undefined where there is
     * none, or it cannot be asked. To be called before the session ends.
     */
    async signOutThere(sessionId: string): Promise<Sending | undefined> {
      const held = await upstreamSessions.of(sessionId)
      if (!held) return undefined
      try {
        return await federation.signOutThere(held.directory, held.upstream, signedOut)
      } catch (cause) {
        // signing out here must not wait for a provider that is down
        log.warn('upstream-logout-failed', { directory: held.directory }, cause)
        return undefined
      }
    },

    /** From server to server, or with the browser of whoever signed out: the kind of directory knows what is accepted. */
    async loggedOut(request: PageRequest): Promise<Answer> {
      const directory = request.params['directory'] ?? ''
      const message = await toldBy(request)
      try {
        const told = await federation.loggedOut(directory, message)
        if ('backTo' in told) return redirect(told.backTo)
        const mark = `upstream-logout:${directory}:${sha256(told.id)}`
        if ((await storage.state.get(mark)) === undefined)
          for (const id of [...(await upstreamSessions.find(directory, told)), ...(await begunWithout(told.person))])
            await sessions.end(id, 'upstream-signed-out', 'system')
        // only now: what failed half-way is done again when the provider says it again
        await storage.state.set(mark, '', { ttl: REPLAYED })
        const answer = await told.answer?.(signedOut)
        if (answer && 'url' in answer) return byForm(request, directory, answer)
        return answer ?? { status: 200, headers: { 'cache-control': 'no-store' } }
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'upstream-refused') throw error
        await noteSeldom(rooms, error, directory, request.id)
        const answer = federation.logoutRefused(directory, message)
        if (!answer) throw new Refusal('sign-out-refused', error.detail, { cause: error })
        return answer
      }
    },

    async metadata(request: PageRequest): Promise<Answer> {
      const { type, body } = await federation.metadata(request.params['directory'] ?? '')
      return { status: 200, headers: { 'content-type': type, 'cache-control': 'no-store' }, body }
    },
  }
}

async function toldBy(request: PageRequest): Promise<Told> {
  const query = request.rawQuery
  if (request.method !== 'POST') return { query, form: new Map() }
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (type === 'text/xml') return { query, form: new Map(), xml: await request.xml() }
  return { query, form: await request.form() }
}
