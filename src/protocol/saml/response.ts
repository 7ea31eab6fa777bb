/** What an app is answered (SAML 2.0 Core §2.3.3, §3.3.3, SAML 2.0 Profiles §4.1.4.2). */
import { type Clock, type Instant, type Millis, minutes, seconds } from '#core/clock'
import { randomId } from '#core/random'
import {
  canonical,
  encryptedAssertion,
  message,
  type NameId,
  nameIdXml,
  type SigningPair,
  signed,
  type Xml,
  xml,
} from '#saml'
import type { SamlApp } from './incoming.ts'

/** Core §3.2.2.2 without their prefix, the one at the top first. */
export type Status = readonly [top: 'Requester' | 'Responder', below: string]

export interface Addressed {
  readonly app: SamlApp
  readonly acs: string
  readonly requestId: string | undefined
}

export interface Said extends Addressed {
  readonly nameId: NameId
  readonly sessionIndex: string
  /** When the oldest factor that counts was given. */
  readonly authnInstant: Instant
  /** The latest end of the session here. */
  readonly sessionEndsAt: Instant
  readonly authnContext: string
  readonly attributes: Xml | undefined
}

/** From the page to the app is a matter of seconds; clocks differ by more. */
const GOOD_FOR: Millis = minutes(5)
const CLOCKS_DIFFER: Millis = seconds(60)
const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:'
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'

export interface Responses {
  /** As XML, signed as the app wants it. */
  assert(said: Said): Promise<string>
  /** `reference`: under which the administrator finds the cause. */
  refuse(to: Addressed, status: Status, reference?: string): Promise<string>
}

export function createResponses({
  entityId,
  clock,
  signing,
}: {
  entityId: string
  clock: Clock
  signing(): Promise<SigningPair>
}): Responses {
  const time = (at: Instant) => new Date(at).toISOString()

  const response = ({ acs, requestId }: Addressed, at: Instant, status: readonly Xml[], ...more: readonly Xml[]): Xml =>
    message(
      'samlp:Response',
      { id: `_${randomId()}`, issuer: entityId, destination: acs, at },
      { InResponseTo: requestId },
      xml('samlp:Status', {}, ...status),
      ...more,
    )

  function assertion(said: Said, at: Instant): Xml {
    const { app, acs, requestId, nameId, authnInstant, sessionIndex, sessionEndsAt, authnContext } = said
    const until = time(at + GOOD_FOR)
    return xml(
      'saml:Assertion',
      { ID: `_${randomId()}`, Version: '2.0', IssueInstant: time(at) },
      xml('saml:Issuer', {}, entityId),
      xml(
        'saml:Subject',
        {},
        nameIdXml(nameId),
        xml(
          'saml:SubjectConfirmation',
          { Method: BEARER },
          xml('saml:SubjectConfirmationData', { InResponseTo: requestId, NotOnOrAfter: until, Recipient: acs }),
        ),
      ),
      xml(
        'saml:Conditions',
        { NotBefore: time(at - CLOCKS_DIFFER), NotOnOrAfter: until },
        xml('saml:AudienceRestriction', {}, xml('saml:Audience', {}, app.saml.entityId)),
      ),
      xml(
        'saml:AuthnStatement',
        { AuthnInstant: time(authnInstant), SessionIndex: sessionIndex, SessionNotOnOrAfter: time(sessionEndsAt) },
        xml('saml:AuthnContext', {}, xml('saml:AuthnContextClassRef', {}, authnContext)),
      ),
      said.attributes,
    )
  }

  return Object.freeze({
    async assert(said: Said) {
      const { sign, encrypt, encryptionCertificate } = said.app.saml
      const at = clock.now()
      const pair = await signing()
      const bare = assertion(said, at)
      const inner = sign.includes('assertion') ? await signed(bare, pair) : bare
      // the signature of the Assertion is inside of what is encrypted (Core §6.2)
      const told = encrypt ? encryptedAssertion(inner, encryptionCertificate!) : inner
      const whole = response(said, at, [xml('samlp:StatusCode', { Value: `${STATUS}Success` })], told)
      return canonical(sign.includes('response') ? await signed(whole, pair) : whole)
    },

    async refuse(to: Addressed, [top, below]: Status, reference?: string) {
      const status = [
        xml('samlp:StatusCode', { Value: STATUS + top }, xml('samlp:StatusCode', { Value: STATUS + below })),
        // Core §3.2.2.3: for whoever runs the app, whose page or log may show it
        ...(reference === undefined ? [] : [xml('samlp:StatusMessage', {}, `reference ${reference}`)]),
      ]
      return canonical(await signed(response(to, clock.now(), status), await signing()))
    },
  })
}
