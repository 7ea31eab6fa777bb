/**
 * SAML: what both ends of SAML 2.0 have in common. `#directory` asks other providers, `#protocol/saml` answers apps.
 *
 * - `xml.ts`       a strict reader of XML          - `write.ts`  a writer of canonical XML
 * - `shape.ts`     the one shape of a message that is looked at any further
 * - `verify.ts`    from a message to what was signed - `sign.ts` a signature of our own
 * - `decrypt.ts`   what was encrypted for us
 * - `assertion.ts` whether an Assertion is for us, now, and what it says
 * - `redirect.ts`  messages in the query of an address
 * - `certificate.ts`, `key-descriptors.ts` keys as SAML hands them around
 * - `names.ts`     what things are called
 *
 * INVARIANT: nothing is believed that was not read from the bytes that a signature covers.
 */
export { type AssertionFacts, factsOf, instantOf, type NameId, SKEW } from './assertion.ts'
export { base64Of, pemOf, selfSigned } from './certificate.ts'
export { certificatesOf, isStrong } from './key-descriptors.ts'
export { ASSERTION, BINDINGS, METADATA, NAME_ID_FORMATS, PROTOCOL, SOAP, XENC, XENC11 } from './names.ts'
export { type Incoming, isSignedBy, readRedirect, redirectUrl } from './redirect.ts'
export { childrenOf } from './shape.ts'
export { keyInfo, type SigningPair, signed } from './sign.ts'
export { type Message, postedXml, SamlProblem, type VerifiedResponse, verifyMessage, verifyResponse } from './verify.ts'
export { canonical, type Xml, xml } from './write.ts'
export { elementsOf, readXml, type XmlElement, xmlText } from './xml.ts'
