/**
 * SAML: what both ends of SAML 2.0 have in common. `#directory` asks other providers, `#protocol/saml` answers apps.
 *
 * - `xml.ts`       a strict reader of XML          - `write.ts`  a writer of canonical XML
 * - `shape.ts`     the one shape of a message that is looked at any further
 * - `verify.ts`    from a message to what was signed - `sign.ts` a signature of our own
 * - `decrypt.ts`   what was encrypted for us          - `encrypt.ts` what we encrypt for others
 * - `fragment.ts`  a part of a document by itself
 * - `assertion.ts` whether an Assertion is for us, now, and what it says
 * - `message.ts`   from whom, for whom, when           - `name-id.ts` who
 * - `logout.ts`    requests to end sessions, and answers
 * - `redirect.ts`, `soap.ts` messages in the query of an address, and from server to server
 * - `certificate.ts`, `key-descriptors.ts` keys as SAML hands them around
 * - `names.ts`     what things are called
 *
 * INVARIANT: nothing is believed that was not read from the bytes that a signature covers.
 */
export { type AssertionFacts, factsOf, instantOf, SKEW } from './assertion.ts'
export { base64Of, pemOf, selfSigned } from './certificate.ts'
export { encryptedAssertion } from './encrypt.ts'
export { certificatesOf, isStrong } from './key-descriptors.ts'
export {
  LOGOUT_REASONS,
  type LogoutRequest,
  type LogoutResponse,
  logoutRequest,
  logoutResponse,
  readLogoutRequest,
  readLogoutResponse,
} from './logout.ts'
export { type ExpectedHead, type Head, headOf, issuerOf, message, type ReadHead } from './message.ts'
export { type NameId, nameIdXml } from './name-id.ts'
export {
  ASSERTION,
  BINDINGS,
  METADATA,
  METADATA_TYPE,
  NAME_ID_FORMATS,
  PROTOCOL,
  SOAP,
  XENC,
  XENC11,
} from './names.ts'
export { type Incoming, isSignedBy, readRedirect, redirectMessage, redirectUrl } from './redirect.ts'
export { childrenOf } from './shape.ts'
export { keyInfo, postFields, type SigningPair, signed } from './sign.ts'
export { SOAP_HEADERS, soapEnvelope, soapFault, soapMessage } from './soap.ts'
export {
  type Message,
  postedXml,
  readMessage,
  SamlProblem,
  type VerifiedResponse,
  verifyMessage,
  verifyResponse,
} from './verify.ts'
export { canonical, type Xml, xml } from './write.ts'
export { elementsOf, readXml, type XmlElement, xmlText } from './xml.ts'
