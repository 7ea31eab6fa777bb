/**
 * Both ends of one sign-in over SAML (SAML 2.0 Profiles §4.4): who signs out here signs out there, and the other way round. Whom
 * a message is about stands in it: forms of other sites bring no cookies, and a cookie would say who is here, not who left there.
 */
import { type Clock, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import { type Answer, redirect, type Sending } from '#http'
import {
  type AssertionFacts,
  canonical,
  type ExpectedHead,
  LOGOUT_REASONS,
  logoutRequest,
  logoutResponse,
  NAME_ID_FORMATS,
  type NameId,
  postFields,
  readLogoutRequest,
  readLogoutResponse,
  redirectUrl,
  SamlProblem,
  SOAP_HEADERS,
  signed,
  soapEnvelope,
  soapFault,
} from '#saml'
import type { State } from '#storage'
import type { Told, UpstreamHeard, UpstreamLogout, UpstreamSession } from '../federation/federated.ts'
import type { Metadata, SamlSettings } from './saml-metadata.ts'
import { withKeysOf } from './saml-metadata.ts'
import type { Ourselves } from './saml-request.ts'
import { type ReadTold, readTold } from './saml-told.ts'

/** Somebody may be asked there whether they mean it. */
const LONGEST_AWAY = minutes(30)
/** From then on the provider need not obey. */
const GOOD_FOR = minutes(5)

/** What is kept of a sign-in to end it by, as `UpstreamSession.hint`. */
interface Hint {
  readonly nameId: NameId
  /** Nobody but the two of us was to read the name. */
  readonly encrypted?: true
  readonly sessionIndex?: string
}

/**
 * A name is its qualifiers as well; left out, they are the two of us (Core §8.3.7).
 * ATTACK: a SessionIndex is nobody's alone (Core §2.7.2 wants the same small numbers for many people), so it counts with its name.
 */
function keysOf({ value, format, nameQualifier, spNameQualifier }: NameId, theirs: string, ours: string) {
  const subject = JSON.stringify([
    value.trim(),
    format ?? NAME_ID_FORMATS.unspecified,
    nameQualifier ?? theirs,
    spNameQualifier ?? ours,
  ])
  return { subject, sid: (index: string) => JSON.stringify([subject, index]) }
}

/** What the session here keeps of the one there. `otherwise`: who it is where the provider gives no name. */
export function sessionOf(
  { nameId, nameIdEncrypted, sessionIndex }: AssertionFacts,
  { entityId, provider, otherwise }: { entityId: string; provider: string; otherwise: string },
): UpstreamSession {
  if (!nameId) return { subject: otherwise }
  const { subject, sid } = keysOf(nameId, provider, entityId)
  const hint: Hint = {
    nameId,
    ...(nameIdEncrypted ? { encrypted: true } : {}),
    ...(sessionIndex === undefined ? {} : { sessionIndex }),
  }
  return {
    subject,
    ...(sessionIndex === undefined ? {} : { sid: sid(sessionIndex) }),
    hint: JSON.stringify(hint),
  }
}

export interface SamlLogout {
  signOutThere(session: UpstreamSession, backTo: string): Promise<Sending | undefined>
  loggedOut(told: Told): Promise<UpstreamLogout | UpstreamHeard>
  logoutRefused(told: Told): Answer | undefined
}

interface Parts {
  readonly settings: SamlSettings
  readonly metadata: Metadata
  readonly ourselves: () => Promise<Ourselves>
  readonly clock: Clock
  readonly state: State
  readonly log: Log
}

export function createSamlLogout({ settings, metadata, ourselves, clock, state, log }: Parts): SamlLogout {
  const waiting = (id: string) => `saml-logout:${settings.id}:${sha256(id)}`

  const expected = ({ slo }: Ourselves, { soap }: ReadTold): ExpectedHead => ({
    issuer: settings.entity_id,
    destination: slo,
    now: clock.now(),
    ...(soap ? { soap } : {}),
  })

  async function asked(us: Ourselves, told: ReadTold): Promise<UpstreamLogout> {
    const { id, nameId, sessionIndexes } = readLogoutRequest(told.element, expected(us, told), us.key)
    const { subject, sid } = keysOf(nameId, settings.entity_id, us.entityId)
    return { id, subject, sids: sessionIndexes.map(sid), answer: (backTo) => answer(us, told, id, backTo) }
  }

  async function answer(us: Ourselves, { soap, relayState }: ReadTold, inResponseTo: string, backTo: string) {
    const { signOut } = await metadata.current()
    const head = { id: `_${randomId()}`, issuer: us.entityId, at: clock.now() }
    const said = { inResponseTo, status: ['Success'] } as const
    if (soap) {
      const body = soapEnvelope(await signed(logoutResponse(head, said), us))
      return { status: 200, headers: SOAP_HEADERS, body }
    }
    // nowhere to answer to: the person is told instead
    if (!signOut) return redirect(backTo)
    const response = logoutResponse({ ...head, destination: signOut.answers }, said)
    if (signOut.binding === 'post')
      return { url: signOut.answers, fields: await postFields('SAMLResponse', response, us, relayState) }
    return redirect(
      await redirectUrl({ to: signOut.answers, name: 'SAMLResponse', xml: canonical(response), relayState }, us.key),
    )
  }

  async function heard(us: Ourselves, told: ReadTold): Promise<UpstreamHeard> {
    const { inResponseTo, status } = readLogoutResponse(told.element, expected(us, told))
    const backTo = await state.take(waiting(inResponseTo))
    if (backTo === undefined) throw new SamlProblem('in-response-to', 'nobody waits for the answer')
    // here they are signed out whatever became of it there
    const said = status.join(' ')
    if (said !== 'Success') log.warn('upstream-logout-incomplete', { directory: settings.id, said })
    return { backTo }
  }

  return {
    async signOutThere({ hint }, backTo) {
      if (!settings.sign_out || hint === undefined) return undefined
      const { signOut, encryptionCertificate } = await metadata.current()
      if (!signOut) return undefined
      // a browser that is sent to a provider that is down does not come back
      await metadata.reach?.answers()
      const { nameId, encrypted, sessionIndex } = JSON.parse(hint) as Hint
      const us = await ourselves()
      const at = clock.now()
      const id = `_${randomId()}`
      const request = logoutRequest(
        { id, issuer: us.entityId, destination: signOut.requests, at },
        {
          nameId,
          sessionIndexes: sessionIndex === undefined ? [] : [sessionIndex],
          notOnOrAfter: at + GOOD_FOR,
          reason: LOGOUT_REASONS.user,
          ...(encrypted && encryptionCertificate ? { encryptFor: encryptionCertificate } : {}),
        },
      )
      await state.set(waiting(id), backTo, { ttl: LONGEST_AWAY })
      if (signOut.binding === 'post')
        return { url: signOut.requests, fields: await postFields('SAMLRequest', request, us) }
      const xml = canonical(request)
      return { url: await redirectUrl({ to: signOut.requests, name: 'SAMLRequest', xml }, us.key) }
    },

    async loggedOut(message) {
      const us = await ourselves()
      const told = await withKeysOf(metadata, ({ certificates }) => readTold(message, certificates))
      return told.name === 'SAMLRequest' ? asked(us, told) : heard(us, told)
    },

    logoutRefused: ({ xml }) =>
      xml === undefined ? undefined : { status: 500, headers: SOAP_HEADERS, body: soapFault('Client') },
  }
}
