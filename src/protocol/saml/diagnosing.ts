/**
 * What apps do wrong at this door, told to `#diagnosis`. A message that was refused is read once more, only to say what stood in
 * it: nothing of that is believed, and nobody is answered by it.
 */
import type { App } from '#catalog'
import type { Seen, Stage } from '#diagnosis'
import type { PageRequest } from '#http'
import { childrenOf, instantOf, issuerOf, PROTOCOL, SamlProblem, type XmlElement } from '#saml'
import { type Carried, type Received, unreadOf } from './incoming.ts'
import { PATHS } from './metadata.ts'
import type { SamlOptions } from './rooms.ts'

const SHA1 = /[#-]rsa-sha1\b|xmldsig#sha1\b/

export function createDiagnosing({ issuer, clock, catalog, diagnosis }: SamlOptions) {
  const carriedBy = new WeakMap<PageRequest, Carried>()
  const stageOf = ({ path }: PageRequest): Stage => (path === PATHS.logout ? 'sign-out' : 'sign-on')

  /** By the faults of `#saml` and of this room. Undefined where it is not the app's. */
  function seenOf(fault: string, app: App, element: XmlElement, text: string, stage: Stage): Seen | undefined {
    const { saml } = app
    if (!saml) return undefined
    const of = element.name
    const { attributes } = element
    const keys = saml.signingCertificates.length
    if (fault === 'signature-invalid')
      return { error: fault, signature: { of, fault: SHA1.test(text) ? 'sha1' : 'wrong', keys } }
    if (fault === 'signature-missing') return { error: fault, signature: { of, fault: 'missing', keys } }
    if (fault === 'acs') {
      const asked = attributes.get('AssertionConsumerServiceURL')
      if (asked === undefined || saml.acsUrls.includes(asked)) return { error: fault }
      return { error: fault, address: { of: 'AssertionConsumerServiceURL', asked, registered: saml.acsUrls } }
    }
    if (fault === 'destination') {
      const named = [attributes.get('Destination') ?? []].flat()
      const expected = issuer + (stage === 'sign-out' ? PATHS.logout : PATHS.signOn)
      return { error: fault, audience: { of: 'Destination', named, expected } }
    }
    if (fault === 'too-early' || fault === 'expired') {
      const until = attributes.get('NotOnOrAfter')
      const at = instantOf(attributes.get('IssueInstant')) ?? instantOf(until)
      if (at === undefined) return { error: fault }
      return { error: fault, clock: { of: `${of} (IssueInstant)`, ahead: (at - clock.now()) / 1000 } }
    }
    // somebody has gone back in the browser, or sends what they found
    return fault === 'replayed' || fault === 'in-response-to' ? undefined : { error: fault }
  }

  async function lookAt(request: PageRequest, carried: Carried, { fault }: SamlProblem): Promise<string | undefined> {
    const stage = stageOf(request)
    const name = carried.binding === 'redirect' && request.query.has('SAMLResponse') ? 'SAMLResponse' : 'SAMLRequest'
    const { element, text } = unreadOf(carried, name)
    const sender = issuerOf(element)
    if (sender === undefined) return undefined
    const app = await catalog.apps.findNamed({ kind: 'entity-id', name: sender })
    if (!app?.saml) {
      await diagnosis.unknown('entity-id', sender)
      return undefined
    }
    const seen = seenOf(fault, app, element, text, stage)
    return seen && diagnosis.failed({ app, request: request.id, stage, seen })
  }

  return {
    /** Keeps it for as long as the request lives: a body is read once only. */
    came(request: PageRequest, carried: Carried): Carried {
      carriedBy.set(request, carried)
      return carried
    },

    /** The reference for whoever brought it; undefined where nobody knows what app it is of. */
    async referenceFor(request: PageRequest, problem: SamlProblem): Promise<string | undefined> {
      const carried = carriedBy.get(request)
      if (!carried) return undefined
      try {
        return await lookAt(request, carried, problem)
      } catch (error) {
        // it cannot be read at all
        if (error instanceof SamlProblem) return undefined
        throw error
      }
    },

    async wrongFormat(request: PageRequest, { app, element }: Received): Promise<string> {
      const [policy] = childrenOf(element, PROTOCOL, 'NameIDPolicy')
      const qualifier = policy?.attributes.get('SPNameQualifier')
      const asked = policy?.attributes.get('Format') ?? `SPNameQualifier ${qualifier ?? ''}`
      const nameId = { asked, registered: app.saml.nameIdFormat }
      return diagnosis.failed({ app, request: request.id, stage: 'sign-on', seen: { error: 'name-format', nameId } })
    },
  }
}
