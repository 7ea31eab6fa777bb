/**
 * Telling an app that a session has ended (SAML 2.0 Profiles §4.4): from server to server where it takes that, else through the
 * browser. What each app calls the person stands beside the session (`opened.ts`).
 */
import type { AppSaml, Catalog } from '#catalog'
import { type Clock, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import type { Outbound } from '#http'
import {
  canonical,
  LOGOUT_REASONS,
  logoutRequest,
  type NameId,
  postFields,
  readLogoutResponse,
  redirectUrl,
  SamlProblem,
  SOAP_HEADERS,
  signed,
  soapEnvelope,
  soapMessage,
  verifyMessage,
} from '#saml'
import type { Delivery, LogoutRow, SignOuts, SignOutWay } from '#sessions'
import type { State } from '#storage'
import type { SamlKeys } from './keys.ts'
import { entityIdOf } from './metadata.ts'

export interface TellingOptions {
  readonly issuer: string
  readonly state: State
  readonly clock: Clock
  readonly catalog: Pick<Catalog, 'apps'>
  readonly samlKeys: Pick<SamlKeys, 'signing'>
}

/** From then on the app need not obey. */
const GOOD_FOR = minutes(5)
/** The browser may be on its way for so long. */
const ANSWERED_IN = minutes(15)
/** Longer than anything that ends a session takes. */
const REMEMBERED = minutes(60)

const askedKey = (app: string, id: string): string => `saml-logout-asked:${app}:${sha256(id)}`
const askerKey = (sessionId: string, app: string): string => `saml-logout-by:${sessionId}:${app}`
const endpoint = ({ slo }: AppSaml, binding: 'soap' | 'redirect' | 'post') => slo.find((one) => one.binding === binding)
/** By address rather than by form, which needs scripts. */
const browserEndpoint = (saml: AppSaml) => endpoint(saml, 'redirect') ?? endpoint(saml, 'post')

/** An app that has asked for the end itself is not told of it. To be called before the end. */
export const noteAsker = (state: State, sessionId: string, app: string): Promise<void> =>
  state.set(askerKey(sessionId, app), '', { ttl: REMEMBERED })

/** The id of the session that a request of ours to this app was about, once. */
export const takeAsked = (state: State, app: string, id: string): Promise<string | undefined> =>
  state.take(askedKey(app, id))

async function requestTo(
  destination: string,
  { known, sid }: { known?: string | undefined; sid?: string | undefined },
  { issuer, clock }: TellingOptions,
) {
  const at = clock.now()
  const id = `_${randomId()}`
  const head = { id, issuer: entityIdOf(issuer), destination, at }
  const about = {
    nameId: JSON.parse(known ?? '{}') as NameId,
    sessionIndexes: sid === undefined ? [] : [sid],
    notOnOrAfter: at + GOOD_FOR,
    reason: LOGOUT_REASONS.user,
  }
  return { id, request: logoutRequest(head, about) }
}

/** Registered where the rooms are opened, so that the command line ends as much as the server does. */
export function attachSamlEndings(options: TellingOptions & { readonly signOuts: Pick<SignOuts, 'add'> }): void {
  const { catalog, state, samlKeys } = options
  const samlOf = async (app: string) => (await catalog.apps.find(app))?.saml

  const way: SignOutWay = {
    via: 'saml',
    async tell({ session }, { app, sid, known }) {
      const saml = await samlOf(app)
      if ((await state.get(askerKey(session.id, app))) !== undefined) return { how: 'at-once' }
      if (!saml || known === undefined) return { how: 'never' }
      if (endpoint(saml, 'soap')) {
        const about = { app, subject: session.personId, session: session.id, sid, known }
        return { how: 'message', row: { ...about, event: 'saml-logout' } }
      }
      return { how: browserEndpoint(saml) ? 'browser' : 'never' }
    },
    async frame({ session }, { app, sid, known }) {
      const saml = await samlOf(app)
      const there = saml && browserEndpoint(saml)
      if (!there || known === undefined) return undefined
      const { id, request } = await requestTo(there.url, { known, sid }, options)
      await state.set(askedKey(app, id), session.id, { ttl: ANSWERED_IN })
      const pair = await samlKeys.signing()
      if (there.binding === 'post') return { url: there.url, fields: await postFields('SAMLRequest', request, pair) }
      return { url: await redirectUrl({ to: there.url, name: 'SAMLRequest', xml: canonical(request) }, pair.key) }
    },
  }
  options.signOuts.add(way)
}

/** How a row of the outbox is sent: `done` once the app has said that the person is signed out there. */
export function createLogoutSender(
  options: TellingOptions & { readonly outbound: Outbound; readonly log: Log },
): (row: LogoutRow) => Promise<Delivery> {
  const { clock, catalog, samlKeys, outbound } = options
  const refused = (app: string, detail: string): Delivery => {
    options.log.warn('saml-logout-refused', { app, detail })
    return 'give-up'
  }
  return async (row) => {
    const saml = (await catalog.apps.find(row.app))?.saml
    const there = saml && endpoint(saml, 'soap')
    if (!there || row.known === undefined) return 'give-up'
    const { id, request } = await requestTo(there.url, row, options)
    const body = soapEnvelope(await signed(request, await samlKeys.signing()))
    const answer = await outbound(there.url, { method: 'POST', headers: SOAP_HEADERS, body })
    if (answer.status >= 500) return 'retry'
    if (answer.status !== 200) return refused(row.app, `status ${answer.status}`)
    try {
      // the connection itself says who answers (Bindings §3.2.3.1); a signature that is there has to be good all the same
      const { element } = await verifyMessage(soapMessage(answer.body), saml.signingCertificates)
      const expected = {
        issuer: saml.entityId,
        // in the same exchange no address can be another one: pysaml2 leaves it empty
        destination: element.attributes.get('Destination') ?? there.url,
        soap: true,
        now: clock.now(),
      } as const
      const { inResponseTo, status } = readLogoutResponse(element, expected)
      if (inResponseTo === id && status[0] === 'Success') return 'done'
      return refused(row.app, inResponseTo === id ? status.join(' ') : 'an answer to another request')
    } catch (error) {
      if (error instanceof SamlProblem) return refused(row.app, `${error.fault}: ${error.message}`)
      throw error
    }
  }
}
