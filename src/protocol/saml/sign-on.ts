/**
 * Signing on to an app: what it asks becomes one question to `access/`, and the verdict one answer, which the browser posts to an
 * address that the app has registered.
 *
 * A request that comes twice is answered twice: each answer is for whoever's browser brought it, goes to the app's own address and
 * names the request, so a copy of a request gives nobody anything that its link does not. It is the app that takes an answer once.
 */
import type { Verdict } from '#access'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Person } from '#directory'
import { type Answer, type PageRequest, redirect } from '#http'
import { openingView } from '#pages'
import type { NameId } from '#saml'
import type { Session } from '#sessions'
import { attributeStatement } from './attributes.ts'
import { classOf, strengthOf } from './contexts.ts'
import type { SamlApp } from './incoming.ts'
import { COMES_ON, type Kept } from './kept.ts'
import { PATHS } from './metadata.ts'
import type { Wish } from './request.ts'
import type { Status } from './response.ts'
import type { SamlRooms } from './rooms.ts'
import { type Visitor, visitorOf } from './visitor.ts'

/** What an app hears where somebody came back without what it wanted: no rule, no place, no name. */
const ENDS = Object.freeze({
  declined: ['Responder', 'AuthnFailed'],
  refused: ['Responder', 'RequestDenied'],
  unmet: ['Responder', 'NoAuthnContext'],
} as const satisfies Record<string, Status>)

export function createSignOn(rooms: SamlRooms) {
  const { issuer, access, catalog, clock, diagnosis, kept, names, opened, presenter, responses, signin } = rooms
  const pathOf = (id: string) => `${PATHS.signOn}/${id}`

  /** INVARIANT: registered now as well, not only when the request came. */
  async function appOf({ app: id, acs }: Wish): Promise<SamlApp> {
    const app = await catalog.apps.find(id)
    if (!app?.saml?.acsUrls.includes(acs)) throw new Refusal('request-refused', 'the app is not what it was')
    return app as SamlApp
  }

  /** A page that posts it there. */
  function post(request: PageRequest, app: SamlApp, { acs, relayState }: Wish, xml: string): Answer {
    const fields = {
      SAMLResponse: Buffer.from(xml).toString('base64'),
      ...(relayState === undefined ? {} : { RelayState: relayState }),
    }
    // browsers hold this against every address that the app's own one leads on to
    const formTargets = [acs, ...app.saml.acsUrls, ...(app.launchUrl === undefined ? [] : [app.launchUrl])]
    return presenter.page(request, (messages) => openingView({ app: app.name, action: acs, fields }, messages), {
      formTargets,
    })
  }

  async function refuse(request: PageRequest, app: SamlApp, wish: Wish, status: Status): Promise<Answer> {
    const { acs, requestId, reference } = wish
    return post(request, app, wish, await responses.refuse({ app, acs, requestId }, status, reference))
  }

  const wantedOf = ({ fresh, classes }: Wish) => {
    const known = access.policies.current().strengths
    const strength = [...new Set(classes.flatMap((uri) => strengthOf(uri, issuer, known) ?? []))]
    return fresh || strength.length > 0
      ? { wanted: { ...(strength.length > 0 ? { strength } : {}), ...(fresh ? { fresh: true as const } : {}) } }
      : {}
  }

  /** `id`: under which the request is kept already. */
  async function proceed(request: PageRequest, { wish, proved }: Kept, id?: string): Promise<Answer> {
    const app = await appOf(wish)
    if (wish.status) return refuse(request, app, wish, wish.status)
    const visitor = await visitorOf(request, rooms)
    const { session } = visitor
    // what was given on the way here was given for this very request, by whoever gave it
    const begun = session && proved?.session === session.id ? proved.since : undefined
    const verdict = await access.ask({
      kind: 'app',
      app,
      ...visitor,
      startedAt: begun ?? clock.now(),
      opens: true,
      ...wantedOf(wish),
    })
    const { outcome, person } = verdict
    if (outcome === 'allow' && session && person) {
      const about = { app: app.saml, person, sessionId: session.id, format: wish.format }
      const nameId = await names.of(about)
      if (!nameId) {
        rooms.log.warn('saml-name-missing', { app: app.id, format: wish.format })
        const nameId = { asked: wish.format, registered: app.saml.nameIdFormat, missing: true } as const
        const seen = { error: 'name-missing', nameId }
        const reference = await diagnosis.failed({ app, request: request.id, stage: 'sign-on', seen })
        return refuse(request, app, { ...wish, reference }, ['Responder', 'InvalidNameIDPolicy'])
      }
      if (isAbout(wish, nameId, person)) {
        // INVARIANT: of two tabs with the same request one is answered
        if (id !== undefined && !(await kept.take(id))) return gone(request)
        const sessionIndex = await names.sessionIndex(about)
        await opened.note({ session, app, nameId, sessionIndex })
        await diagnosis.opened({ app, session: session.id, request: request.id, via: 'saml' })
        await diagnosis.worked(app.id, 'sign-on')
        return post(request, app, wish, await assertion({ app, wish, session, verdict, person, nameId, sessionIndex }))
      }
      // Core §3.4.1.4: the app has somebody else in mind; whoever was asked and is still not them gets no answer
      if (begun !== undefined) return refuse(request, app, wish, ['Responder', 'UnknownPrincipal'])
    }
    if (verdict.decision.unmet) return refuse(request, app, wish, ENDS.unmet)
    if (wish.passive) return refuse(request, app, wish, outcome === 'deny' ? ENDS.refused : ['Responder', 'NoPassive'])
    return converse(visitor, { wish, ...(proved ? { proved } : {}) }, id ?? randomId(24), outcome === 'allow')
  }

  const assertion = (about: {
    app: SamlApp
    wish: Wish
    session: Session
    verdict: Verdict
    person: Person
    nameId: NameId
    sessionIndex: string
  }): Promise<string> => {
    const { app, wish, session, verdict, person, nameId, sessionIndex } = about
    return responses.assert({
      app,
      acs: wish.acs,
      requestId: wish.requestId,
      nameId,
      sessionIndex,
      authnInstant: verdict.authTime ?? session.startedAt,
      sessionEndsAt: session.endsAt,
      authnContext: classOf(verdict.acr, verdict.amr, wish.classes, issuer),
      attributes: attributeStatement(person, app.saml),
    })
  }

  /** To the conversation, which comes back to this request. */
  async function converse({ session }: Visitor, waiting: Kept, id: string, somebodyElse: boolean): Promise<Answer> {
    const { wish, proved } = waiting
    await kept.keep(id, waiting)
    const to = await signin.begin({
      id,
      kind: 'app',
      app: wish.app,
      returnTo: pathOf(id),
      ...wantedOf(wish),
      ...(proved && proved.session === session?.id ? { session: proved.session, startedAt: proved.since } : {}),
      ...(wish.subject === undefined ? {} : { loginHint: wish.subject }),
      ...(somebodyElse ? { somebodyElse } : {}),
    })
    return redirect(to)
  }

  const gone = (request: PageRequest): Answer => {
    throw new Refusal('conversation-expired', `request ${request.path} is answered or too old`)
  }

  return {
    /** A request with the browser's cookies. */
    answer: (request: PageRequest, wish: Wish) => proceed(request, { wish }),

    /** A request from another site's form, which comes without cookies: the browser brings it again by itself. */
    async comeOn(wish: Wish): Promise<Answer> {
      const id = randomId(24)
      await kept.keep(id, { wish }, COMES_ON)
      return redirect(pathOf(id))
    },

    /** The browser brings a request that is kept: for the first time, or back from a conversation. */
    async resume(request: PageRequest): Promise<Answer> {
      const id = request.params['id'] ?? ''
      const found = await kept.find(id)
      if (!found) return gone(request)
      const errand = await signin.find(id)
      if (!errand?.outcome) return proceed(request, found, id)
      await signin.end(id)
      const { outcome } = errand
      if (outcome !== 'done' && outcome !== 'consented') {
        if (!(await kept.take(id))) return gone(request)
        return refuse(request, await appOf(found.wish), found.wish, ENDS[outcome])
      }
      const proved = errand.session === undefined ? undefined : { session: errand.session, since: errand.startedAt }
      const now: Kept = { wish: found.wish, ...(proved ? { proved } : {}) }
      await kept.keep(id, now)
      return proceed(request, now, id)
    },
  }
}

/** By the name that the app would be given, or by what people type: the ways in which apps say whom they mean. */
function isAbout({ subject }: Wish, nameId: NameId, { username, mail }: Person): boolean {
  if (subject === undefined || subject === nameId.value) return true
  const same = (text: string | undefined) => text?.toLowerCase() === subject.toLowerCase()
  return same(username) || same(mail)
}
