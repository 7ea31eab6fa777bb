/**
 * Single logout (SAML 2.0 Core §3.7, SAML 2.0 Profiles §4.4): an app asks for the end of a session, or says that it has signed
 * somebody out.
 *
 * Whom a request is about stands in it, and its signature says which app wants that: the browser that brings it may be anybody's.
 * An app that has given no keys proves nothing, so its request only leads to the page that asks whoever is there.
 */
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import { type Answer, type PageRequest, redirect } from '#http'
import { openingView } from '#pages'
import {
  canonical,
  type ExpectedHead,
  logoutResponse,
  readLogoutRequest,
  readLogoutResponse,
  redirectUrl,
  SamlProblem,
  SOAP_HEADERS,
  signed,
  soapEnvelope,
} from '#saml'
import { type Carried, type Received, receive, type SamlApp } from './incoming.ts'
import { entityIdOf, PATHS } from './metadata.ts'
import type { SamlRooms } from './rooms.ts'
import { noteAsker, takeAsked } from './telling.ts'

type Said = readonly ['Success', ...string[]]

const SIGN_OUT = '/signout'
const ENDED_BY_APP = 'app-signed-out'

export function createSingleLogout(rooms: SamlRooms) {
  const { issuer, catalog, clock, opened, presenter, samlKeys, sessions, signOuts, storage } = rooms
  const { state } = storage

  const expected = ({ app, binding }: Received): ExpectedHead => ({
    issuer: app.saml.entityId,
    destination: issuer + PATHS.logout,
    ...(binding === 'soap' ? { soap: true as const } : {}),
    now: clock.now(),
  })

  /** Ends what the app names; answers what it is told. */
  async function end(received: Received): Promise<{ id: string; said: Said }> {
    const { app } = received
    const { id, nameId, sessionIndexes, goodUntil } = readLogoutRequest(received.element, expected(received))
    // ATTACK: a name lives on, so a request that comes a second time would end a session that began since
    const mark = `saml-logout-heard:${app.id}:${sha256(id)}`
    if (!(await state.add(mark, '', { ttl: Math.max(goodUntil - clock.now(), 1000) })))
      throw new SamlProblem('replayed', 'the request has come before')
    let untold = false
    for (const sessionId of await opened.sessionsOf(app, nameId, sessionIndexes)) {
      const session = await sessions.byId(sessionId)
      if (!session) continue
      await noteAsker(state, sessionId, app.id)
      if (!(await sessions.end(sessionId, ENDED_BY_APP, 'system'))) continue
      const { id: ended, personId } = session
      await rooms.audit.record('person-signed-out', { actor: personId, subject: personId, session: ended, app: app.id })
      const states = await signOuts.progress({ session, reason: ENDED_BY_APP })
      untold ||= states.some((one) => one.app !== app.id && !['confirmed', 'at-once', 'waiting'].includes(one.state))
    }
    // whoever has left already is signed out all the same; Core §3.7.3.2 tells where others were not reached
    return { id, said: untold ? ['Success', 'PartialLogout'] : ['Success'] }
  }

  async function answer(request: PageRequest, received: Received, id: string, said: Said): Promise<Answer> {
    const { app, binding, relayState } = received
    const pair = await samlKeys.signing()
    const head = { id: `_${randomId()}`, issuer: entityIdOf(issuer), at: clock.now() }
    const about = { inResponseTo: id, status: said }
    if (binding === 'soap')
      return {
        status: 200,
        headers: SOAP_HEADERS,
        body: soapEnvelope(await signed(logoutResponse(head, about), pair)),
      }
    const there = answersOf(app, binding)
    // nowhere to answer to: the person is told instead
    if (!there) return redirect(SIGN_OUT)
    const response = logoutResponse({ ...head, destination: there.url }, about)
    if (there.binding === 'redirect')
      return redirect(
        await redirectUrl({ to: there.url, name: 'SAMLResponse', xml: canonical(response), relayState }, pair.key),
      )
    const fields = {
      SAMLResponse: Buffer.from(canonical(await signed(response, pair))).toString('base64'),
      ...(relayState === undefined ? {} : { RelayState: relayState }),
    }
    const view = { app: app.name, action: there.url, fields }
    return presenter.page(request, (messages) => openingView(view, messages), { formTargets: [there.url] })
  }

  async function asked(request: PageRequest, received: Received): Promise<Answer> {
    const { app, binding, signed: proved } = received
    if (app.saml.signingCertificates.length === 0 && binding !== 'soap') return redirect(SIGN_OUT)
    if (!proved) throw new SamlProblem('signature-missing', 'an unsigned request ends nothing')
    const { id, said } = await end(received)
    return answer(request, received, id, said)
  }

  /** ATTACK: without keys of the app only the id, which its browser got from us, says that this is its answer. */
  async function heard(received: Received): Promise<Answer> {
    const { app, element, signed: proved } = received
    if (!proved && app.saml.signingCertificates.length > 0)
      throw new SamlProblem('signature-missing', 'the app signs its answers, and this one is not')
    const { inResponseTo, status } = readLogoutResponse(element, expected(received))
    const sessionId = await takeAsked(state, app.id, inResponseTo)
    if (sessionId === undefined) throw new SamlProblem('in-response-to', 'nobody waits for the answer')
    if (status[0] === 'Success') await signOuts.confirm(sessionId, app.id)
    return redirect(SIGN_OUT)
  }

  return async function logout(
    request: PageRequest,
    carried: Carried,
    name: 'SAMLRequest' | 'SAMLResponse',
  ): Promise<Answer> {
    const received = await receive(carried, name, catalog.apps)
    const answered = await (name === 'SAMLRequest' ? asked(request, received) : heard(received))
    await rooms.diagnosis.worked(received.app.id, 'sign-out')
    return answered
  }
}

/** The way it came by, or the other one that a browser can go. */
function answersOf({ saml }: SamlApp, binding: 'redirect' | 'post') {
  const ways = saml.slo.filter((one) => one.binding !== 'soap')
  const found = ways.find((one) => one.binding === binding) ?? ways[0]
  return found && { binding: found.binding, url: found.responseUrl ?? found.url }
}
