/**
 * Signature wrapping, the eight forms (Somorovsky et al., "On Breaking SAML", USENIX Security 2012): what was signed stays in the
 * message, whole and about Alma; what is to be believed is about Boris, and nobody signed it.
 */
import { randomId } from '#core/random'
import { canonical, signed, type Xml, xml } from '#saml'
import type { ProbeCase } from '../kind.ts'
import type { SamlBench } from '../kinds/saml.ts'
import { BORIS } from '../person.ts'
import { assertionXml, atEnd, behindFirst, responseXml, type Said } from '../saml-message.ts'

/** What the forms are made of. */
interface Parts {
  readonly said: Said
  /** With an id of its own unless another is given. */
  readonly forged: (id?: string) => Xml
  readonly assertion: { readonly bare: Xml; readonly signature: Xml; readonly whole: Xml }
  readonly response: { readonly bare: Xml; readonly signature: Xml }
}

const second = ({ children }: Xml): Xml => children[1] as Xml
const object = (inside: Xml): Xml => xml('ds:Object', {}, inside)

const FORMS: readonly ((parts: Parts) => Xml)[] = [
  ({ said, forged, response }) =>
    behindFirst(responseXml(said, forged()), atEnd(response.signature, object(response.bare))),
  ({ said, forged, response }) => behindFirst(responseXml(said, forged()), response.bare, response.signature),
  ({ said, forged, assertion }) => responseXml(said, forged(), assertion.whole),
  ({ said, forged, assertion }) => responseXml(said, atEnd(forged(), assertion.whole)),
  ({ said, forged, assertion }) => responseXml(said, behindFirst(forged(), assertion.signature), assertion.bare),
  ({ said, forged, assertion }) => responseXml(said, behindFirst(forged(), atEnd(assertion.signature, assertion.bare))),
  ({ said, forged, assertion }) =>
    behindFirst(responseXml(said, assertion.whole), xml('samlp:Extensions', {}, forged(said.assertionId))),
  ({ said, forged, assertion }) =>
    responseXml(said, behindFirst(forged(said.assertionId), atEnd(assertion.signature, object(assertion.bare)))),
]

async function partsOf(said: Said, { desk: { app, material } }: SamlBench): Promise<Parts> {
  const bare = assertionXml(said, app)
  const whole = await signed(bare, material.pair)
  const response = responseXml(said, bare)
  return {
    said,
    // a fixed id would be one that the app has seen before
    forged: (assertionId = `_${randomId()}`) => assertionXml({ ...said, person: BORIS, assertionId }, app),
    assertion: { bare, whole, signature: second(whole) },
    response: { bare: response, signature: second(await signed(response, material.pair)) },
  }
}

export const wrappingCases: readonly ProbeCase<SamlBench>[] = FORMS.map((form, index) => ({
  code: `wrapped-${index + 1}`,
  section: 'XML Signature Best Practices §2.2',
  severity: 'high',
  async run(bench, see) {
    const browser = bench.desk.browser()
    const request = await bench.begin(browser)
    await bench.deliver(browser, request, canonical(form(await partsOf(bench.rightSaid(request), bench))))
    const { who } = await see(browser)
    if (who === 'boris') return { result: 'accepted', note: 'what nobody signed was believed' }
    if (who === 'somebody') return { result: 'inconclusive', note: 'somebody is in, and the check does not show who' }
    return who === 'alma' ? { result: 'refused', note: 'only what was signed was read' } : { result: 'refused' }
  },
}))
