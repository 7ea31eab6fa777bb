/** What an app says about itself (SAML 2.0 Metadata §2.4.4), as the fields of its registration. */
import type { Manifest } from '#catalog'
import type { Instant } from '#core/clock'
import {
  BINDINGS,
  certificatesOf,
  childrenOf,
  elementsOf,
  instantOf,
  METADATA,
  NAME_ID_FORMATS,
  readXml,
  SamlProblem,
  type XmlElement,
  xmlText,
} from '#saml'

type SamlFields = NonNullable<Manifest['saml']>

/** Bytes. */
export const LARGEST_METADATA = 1024 * 1024

export type MetadataFault = 'metadata-unreadable' | 'metadata-no-app' | 'metadata-several-apps' | 'metadata-expired'

const problem = (fault: MetadataFault, say: string) => new SamlProblem<MetadataFault>(fault, say)

/**
 * The fields that the document decides. Nothing in it is believed further than that: who takes it for an app's own word is who
 * registers the app, or the address that they have registered. Throws `SamlProblem`.
 */
export function readAppMetadata(document: string, now: Instant): SamlFields & { entity_id: string } {
  const root = read(document)
  const apps = [...elementsOf(root)].filter(
    (element) =>
      element.namespace === METADATA &&
      element.name === 'EntityDescriptor' &&
      childrenOf(element, METADATA, 'SPSSODescriptor').length > 0,
  )
  const [entity, ...more] = apps
  if (!entity) throw problem('metadata-no-app', 'the metadata holds no service provider')
  if (more.length > 0) throw problem('metadata-several-apps', 'the metadata holds more than one service provider')
  const [role] = childrenOf(entity, METADATA, 'SPSSODescriptor')
  const ends = [root, entity, role!].flatMap(({ attributes }) => attributes.get('validUntil') ?? []).map(instantOf)
  if (ends.some((end) => end === undefined || end <= now))
    throw problem('metadata-expired', 'the metadata was valid until some time ago')
  const consumers = consumersOf(role!)
  const signing = certificatesOf(role!, 'signing')
  const [encryption] = certificatesOf(role!, 'encryption')
  const format = childrenOf(role!, METADATA, 'NameIDFormat').flatMap(({ text }) => formatNamed(text.trim()) ?? [])[0]
  return {
    entity_id: entity.attributes.get('entityID') ?? '',
    acs_urls: consumers.map(({ url }) => url),
    acs_indexes: consumers.map(({ index }) => index),
    slo: logoutsOf(role!),
    signing_certificates: signing,
    requests_signed: role!.attributes.get('AuthnRequestsSigned') === 'true' && signing.length > 0,
    ...(encryption === undefined ? {} : { encryption_certificate: encryption }),
    ...(format === undefined ? {} : { name_id_format: format }),
  }
}

function read(document: string): XmlElement {
  try {
    return readXml(xmlText(Buffer.from(document), LARGEST_METADATA), { size: LARGEST_METADATA, comments: 'skipped' })
  } catch (cause) {
    throw problem('metadata-unreadable', `the metadata is not accepted: ${(cause as Error).message}`)
  }
}

const formatNamed = (uri: string) =>
  (Object.keys(NAME_ID_FORMATS) as (keyof typeof NAME_ID_FORMATS)[]).find((name) => NAME_ID_FORMATS[name] === uri)

/** Those that take a form, the default first (Metadata §2.2.3): isDefault, then the lowest number. */
function consumersOf(role: XmlElement): { url: string; index: number }[] {
  const found = childrenOf(role, METADATA, 'AssertionConsumerService')
    .filter(({ attributes }) => attributes.get('Binding') === BINDINGS.post)
    .flatMap(({ attributes }, i) => {
      const url = attributes.get('Location')
      const index = Number(attributes.get('index') ?? i)
      if (url === undefined || !Number.isInteger(index)) return []
      return [{ url, index, first: ['true', '1'].includes(attributes.get('isDefault') ?? '') }]
    })
    .sort((a, b) => Number(b.first) - Number(a.first) || a.index - b.index)
  const urls = new Set<string>()
  return found.filter(({ url }) => !urls.has(url) && urls.add(url))
}

const logoutsOf = (role: XmlElement): NonNullable<SamlFields['slo']> =>
  childrenOf(role, METADATA, 'SingleLogoutService').flatMap(({ attributes }) => {
    const url = attributes.get('Location')
    const response = attributes.get('ResponseLocation')
    const binding = (Object.keys(BINDINGS) as (keyof typeof BINDINGS)[]).find(
      (name) => BINDINGS[name] === attributes.get('Binding'),
    )
    if (url === undefined || binding === undefined) return []
    return [{ url, binding, ...(response === undefined ? {} : { response_url: response }) }]
  })
