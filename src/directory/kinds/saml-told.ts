/** A message about a sign-out in any of the bindings (SAML 2.0 Bindings §3.2, §3.4, §3.5), with a signature that was good. */
import {
  postedXml,
  readRedirect,
  redirectMessage,
  SamlProblem,
  soapMessage,
  verifyMessage,
  type XmlElement,
} from '#saml'
import type { Told } from '../federation/federated.ts'

export interface ReadTold {
  readonly name: 'SAMLRequest' | 'SAMLResponse'
  /** Of what was signed. */
  readonly element: XmlElement
  readonly relayState?: string | undefined
  readonly soap?: true
}

/** SAML 2.0 Profiles §4.4.4.1: every one of them is signed. Throws `SamlProblem`. */
export async function readTold({ query, form, xml }: Told, certificates: readonly string[]): Promise<ReadTold> {
  if (xml !== undefined) {
    const { element, signed } = await verifyMessage(soapMessage(xml), certificates)
    if (!signed) throw unsigned()
    // the answers to what we ask come with the browser
    return { name: 'SAMLRequest', element, soap: true }
  }
  const has = new URLSearchParams(query)
  const inForm = form.size > 0
  const names = (['SAMLRequest', 'SAMLResponse'] as const).filter((one) => (inForm ? form : has).has(one))
  const [name] = names
  if (!name || names.length > 1) throw new SamlProblem('query', 'there is not exactly one message')
  if (inForm) {
    const { element, signed } = await verifyMessage(postedXml(form.get(name)!), certificates)
    if (!signed) throw unsigned()
    return { name, element, relayState: form.get('RelayState') }
  }
  const incoming = readRedirect(query, name)
  if (!incoming.signature) throw unsigned()
  const { element, signed } = redirectMessage(incoming, certificates)
  if (!signed) throw new SamlProblem('signature-invalid', 'no key of the provider made the signature')
  return { name, element, relayState: incoming.relayState }
}

const unsigned = () => new SamlProblem('signature-missing', 'the message is not signed')
