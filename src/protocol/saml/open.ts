/** The door put together: every address it answers. */
import { Refusal } from '#core/refusal'
import type { Answer, PageRequest, Route } from '#http'
import { SamlProblem, SOAP_HEADERS, soapFault } from '#saml'
import type { Delivery, LogoutRow } from '#sessions'
import { createDiagnosing } from './diagnosing.ts'
import { type Carried, receive, type SamlApp } from './incoming.ts'
import { createKeptRequests } from './kept.ts'
import { entityIdOf, METADATA_HEADERS, ourMetadata, PATHS } from './metadata.ts'
import { createNames } from './names.ts'
import { createOpenedApps } from './opened.ts'
import { createRefresh } from './refresh.ts'
import { type Wish, wishOf } from './request.ts'
import { createResponses } from './response.ts'
import type { SamlOptions, SamlRooms } from './rooms.ts'
import { createSignOn } from './sign-on.ts'
import { createSingleLogout } from './slo.ts'
import { createLogoutSender } from './telling.ts'

export interface SamlDoor {
  readonly routes: readonly Route[]
  /** Sends a row of the outbox. */
  sendLogout(row: LogoutRow): Promise<Delivery>
  /** Reads the metadata of apps again that is due; answers how many registrations changed. */
  refreshApps(): Promise<number>
}

export function openSaml(options: SamlOptions): SamlDoor {
  const { issuer, storage, clock, log, keys, samlKeys, sessions, catalog, access } = options
  const entityId = entityIdOf(issuer)
  const rooms: SamlRooms = {
    ...options,
    kept: createKeptRequests(storage.state),
    names: createNames({ storage, keys, clock, entityId }),
    opened: createOpenedApps({ state: storage.state, clock, sessions }),
    responses: createResponses({ entityId, clock, signing: samlKeys.signing }),
  }
  const signOn = createSignOn(rooms)
  const logout = createSingleLogout(rooms)
  const diagnosing = createDiagnosing(options)

  const noteProblem = (request: PageRequest, { fault, message }: SamlProblem) =>
    log.warn('saml-message-refused', { request: request.id, path: request.path, fault, detail: message })

  /** The cause is for the administrator: whoever brought the message may have nothing to do with the app. */
  const told =
    (handle: (request: PageRequest) => Promise<Answer>) =>
    async (request: PageRequest): Promise<Answer> => {
      try {
        return await handle(request)
      } catch (error) {
        if (!(error instanceof SamlProblem)) throw error
        noteProblem(request, error)
        const reference = await diagnosing.referenceFor(request, error)
        throw new Refusal('request-refused', `saml: ${error.fault}`, { cause: error, reference })
      }
    }

  const asking = () => ({ issuer, now: clock.now(), strengths: access.policies.current().strengths })

  async function wishedBy(request: PageRequest, carried: Carried): Promise<Wish> {
    const received = await receive(carried, 'SAMLRequest', catalog.apps)
    const wish = wishOf(received, asking())
    if (wish.status?.[1] !== 'InvalidNameIDPolicy') return wish
    return { ...wish, reference: await diagnosing.wrongFormat(request, received) }
  }

  async function byRedirect(request: PageRequest): Promise<Answer> {
    const carried = diagnosing.came(request, { binding: 'redirect', query: request.rawQuery })
    return signOn.answer(request, await wishedBy(request, carried))
  }

  async function byForm(request: PageRequest): Promise<Answer> {
    const form = await request.form()
    const message = form.get('SAMLRequest')
    if (message === undefined) throw new SamlProblem('form', 'the form has no `SAMLRequest`')
    const carried = diagnosing.came(request, { binding: 'post', message, relayState: form.get('RelayState') })
    return signOn.comeOn(await wishedBy(request, carried))
  }

  /**
   * SAML 2.0 Profiles §4.1.5: nobody has asked. ATTACK: whoever makes a link to this address must not choose what goes along:
   * the state is the one of the registration.
   */
  async function begun(request: PageRequest): Promise<Answer> {
    const app = await catalog.apps.find(request.params['app'] ?? '')
    if (!app?.saml) throw new Refusal('app-unknown', 'no app that speaks SAML')
    const { saml } = app as SamlApp
    const wish: Wish = {
      app: app.id,
      acs: saml.acsUrls[0]!,
      classes: [],
      format: saml.nameIdFormat,
      ...(saml.relayState === undefined ? {} : { relayState: saml.relayState }),
    }
    return signOn.answer(request, wish)
  }

  const logoutByRedirect = (request: PageRequest): Promise<Answer> => {
    const name = request.query.has('SAMLResponse') ? 'SAMLResponse' : 'SAMLRequest'
    return logout.heard(request, diagnosing.came(request, { binding: 'redirect', query: request.rawQuery }), name)
  }

  async function logoutByPost(request: PageRequest): Promise<Answer> {
    if (/^(?:text\/xml|application\/soap\+xml)\b/i.test(request.headers['content-type'] ?? ''))
      return logoutBySoap(request)
    const form = await request.form()
    const name = form.has('SAMLResponse') ? 'SAMLResponse' : 'SAMLRequest'
    const message = form.get(name)
    if (message === undefined) throw new SamlProblem('form', 'the form has no message')
    const carried = diagnosing.came(request, { binding: 'post', message, relayState: form.get('RelayState') })
    return logout.heard(request, carried, name)
  }

  async function logoutBySoap(request: PageRequest): Promise<Answer> {
    try {
      const carried = diagnosing.came(request, { binding: 'soap', body: await request.xml() })
      return await logout.heard(request, carried, 'SAMLRequest')
    } catch (error) {
      if (!(error instanceof SamlProblem)) throw error
      noteProblem(request, error)
      await diagnosing.referenceFor(request, error)
      return { status: 500, headers: SOAP_HEADERS, body: soapFault('Client') }
    }
  }

  const routes: readonly Route[] = [
    {
      method: 'GET',
      path: PATHS.metadata,
      handle: async () => ({
        status: 200,
        headers: METADATA_HEADERS,
        body: ourMetadata(issuer, await samlKeys.published()),
      }),
    },
    { method: 'GET', path: PATHS.signOn, handle: told(byRedirect) },
    { method: 'POST', path: PATHS.signOn, fromOtherSites: true, handle: told(byForm) },
    { method: 'GET', path: `${PATHS.signOn}/:id`, handle: signOn.resume },
    { method: 'GET', path: '/saml/init/:app', handle: begun },
    { method: 'GET', path: PATHS.logout, handle: told(logoutByRedirect) },
    { method: 'POST', path: PATHS.logout, fromOtherSites: true, handle: told(logoutByPost) },
    { method: 'GET', path: `${PATHS.logout}/:id`, handle: logout.goOn },
  ]
  const shared = { ...options, state: storage.state }
  return Object.freeze({ routes, sendLogout: createLogoutSender(shared), refreshApps: createRefresh(shared) })
}
