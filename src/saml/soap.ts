/** Messages from server to server (SAML 2.0 Bindings §3.2): one in the Body of a SOAP 1.1 Envelope, and nothing beside it. */
import { alone } from './fragment.ts'
import { SOAP } from './names.ts'
import { childrenOf } from './shape.ts'
import { SamlProblem } from './verify.ts'
import { canonical, type Xml, xml } from './write.ts'
import { readXml, XmlProblem, xmlText } from './xml.ts'

/** Of the request and of the answer. */
export const SOAP_HEADERS = Object.freeze({
  'content-type': 'text/xml; charset=utf-8',
  // Bindings §3.2.2.1, §3.2.3.2
  soapaction: 'http://www.oasis-open.org/committees/security',
  'cache-control': 'no-cache, no-store',
} as const)

const LIMIT = 256 * 1024

/** The document that is sent. */
export const soapEnvelope = (message: Xml): string => canonical(xml('soap:Envelope', {}, xml('soap:Body', {}, message)))

/** For what cannot be answered by a SAML message, with status 500 (SOAP 1.1 §6.2, Bindings §3.2.3.3). It tells nobody why. */
export const soapFault = (whose: 'Client' | 'Server'): string =>
  `<soap:Envelope xmlns:soap="${SOAP}"><soap:Body><soap:Fault><faultcode>soap:${whose}</faultcode>` +
  '<faultstring>The message is not accepted.</faultstring></soap:Fault></soap:Body></soap:Envelope>'

/** The message as a document of its own, for `verifyMessage`. Throws `SamlProblem`. */
export function soapMessage(body: string): string {
  const wrong = (say: string) => new SamlProblem('soap', say)
  try {
    const source = xmlText(Buffer.from(body), LIMIT)
    const envelope = readXml(source, { size: LIMIT, comments: 'refused' })
    if (envelope.namespace !== SOAP || envelope.name !== 'Envelope') throw wrong('this is no SOAP 1.1 envelope')
    const bodies = childrenOf(envelope, SOAP, 'Body')
    const headers = childrenOf(envelope, SOAP, 'Header').flatMap(({ children }) => children)
    // SOAP 1.1 §4.2.3: what has to be understood is not passed over; SAML has none (Bindings §3.2.2)
    if (headers.some(({ attributes }) => attributes.get(`{${SOAP}}mustUnderstand`) === '1'))
      throw wrong('the envelope has a header that is not known here')
    const [message, ...more] = bodies.flatMap(({ children }) => children)
    if (!message || more.length > 0 || bodies.length > 1) throw wrong('the envelope does not hold exactly one message')
    if (message.namespace === SOAP) throw wrong('the answer is a SOAP fault')
    return alone(source, message)
  } catch (error) {
    if (error instanceof XmlProblem) throw new SamlProblem(error.fault, `the XML is not accepted: ${error.message}`)
    throw error
  }
}
