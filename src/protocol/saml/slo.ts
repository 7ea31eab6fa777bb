/**
 * Single logout (SAML 2.0 Core §3.7, SAML 2.0 Profiles §4.4): an app asks for the end of a session, or says that it has signed
 * somebody out.
 *
 * Whom a request is about stands in it, and its signature says which app wants that: the browser that brings it may be anybody's.
 * An app that has given no keys proves nothing, so its request only leads to the page that asks whoever is there.
 */
import { sha256 } from '#core/digest'
import { type Answer, type PageRequest, redirect } from '#http'
import { type ExpectedHead, readLogoutRequest, readLogoutResponse, SamlProblem } from '#saml'
import type { EndedSession } from '#sessions'
import { createAnswering, SIGN_OUT } from './answering.ts'
import { type Carried, type Received, receive } from './incoming.ts'
import { PATHS } from './metadata.ts'
import type { SamlRooms } from './rooms.ts'
import { noteAsker, takeAsked } from './telling.ts'

const ENDED_BY_APP = 'app-signed-out'

export function createSingleLogout(rooms: SamlRooms) {
  const { issuer, catalog, clock, opened, sessions, signOuts, storage } = rooms
  const { state } = storage
  const answering = createAnswering(rooms)

  const expected = ({ app, binding }: Received): ExpectedHead => ({
    issuer: app.saml.entityId,
    destination: issuer + PATHS.logout,
    ...(binding === 'soap' ? { soap: true as const } : {}),
    now: clock.now(),
  })

  /** Ends what the app names; whoever has left already is signed out all the same. */
  async function end(received: Received): Promise<{ id: string; ended: EndedSession[] }> {
    const { app } = received
    const { id, nameId, sessionIndexes, goodUntil } = readLogoutRequest(received.element, expected(received))
    // ATTACK: a name lives on, so a request that comes a second time would end a session that began since
    const mark = `saml-logout-heard:${app.id}:${sha256(id)}`
    if (!(await state.add(mark, '', { ttl: Math.max(goodUntil - clock.now(), 1000) })))
      throw new SamlProblem('replayed', 'the request has come before')
    const ended: EndedSession[] = []
    for (const sessionId of await opened.sessionsOf(app, nameId, sessionIndexes)) {
      const session = await sessions.byId(sessionId)
      if (!session) continue
      await noteAsker(state, sessionId, app.id)
      if (!(await sessions.end(sessionId, ENDED_BY_APP, 'system'))) continue
      const { personId } = session
      const about = { actor: personId, subject: personId, session: sessionId, app: app.id }
      await rooms.audit.record('person-signed-out', about)
      ended.push({ session: { ...session, authenticated: [] }, reason: ENDED_BY_APP })
    }
    return { id, ended }
  }

  async function asked(request: PageRequest, received: Received): Promise<Answer> {
    const { app, binding, signed: proved } = received
    if (app.saml.signingCertificates.length === 0 && binding !== 'soap') return redirect(SIGN_OUT)
    if (!proved) throw new SamlProblem('signature-missing', 'an unsigned request ends nothing')
    return answering.give(request, received, await end(received))
  }

  /** ATTACK: without keys of the app only the id, which its browser got from us, says that this is its answer. */
  async function answered(received: Received): Promise<Answer> {
    const { app, element, signed: proved } = received
    if (!proved && app.saml.signingCertificates.length > 0)
      throw new SamlProblem('signature-missing', 'the app signs its answers, and this one is not')
    const { inResponseTo, status } = readLogoutResponse(element, expected(received))
    const sessionId = await takeAsked(state, app.id, inResponseTo)
    if (sessionId === undefined) throw new SamlProblem('in-response-to', 'nobody waits for the answer')
    if (status[0] === 'Success') await signOuts.confirm(sessionId, app.id)
    return redirect(SIGN_OUT)
  }

  return {
    async heard(request: PageRequest, carried: Carried, name: 'SAMLRequest' | 'SAMLResponse'): Promise<Answer> {
      const received = await receive(carried, name, catalog.apps)
      const answer = await (name === 'SAMLRequest' ? asked(request, received) : answered(received))
      await rooms.diagnosis.worked(received.app.id, 'sign-out')
      return answer
    },
    goOn: answering.goOn,
  }
}
