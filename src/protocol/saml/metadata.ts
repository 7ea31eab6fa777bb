/** What we say about ourselves (SAML 2.0 Metadata §2.4.3): what an administrator gives to an app. */
import { BINDINGS, canonical, keyInfo, METADATA_TYPE, NAME_ID_FORMATS, PROTOCOL, xml } from '#saml'
import type { SamlKey } from './keys.ts'

/** Every address of this door, below the issuer. */
export const PATHS = Object.freeze({ metadata: '/saml/metadata', signOn: '/saml/sso', logout: '/saml/slo' } as const)

/** The address of the document is our name (Metadata §4.1.1, the well-known location method). */
export const entityIdOf = (issuer: string): string => issuer + PATHS.metadata

export const METADATA_HEADERS = Object.freeze({
  'content-type': METADATA_TYPE,
  // a new key is published long before it signs
  'cache-control': 'public, max-age=1800',
})

/** The signing key first; every key that is published, so that apps take the next one before it signs. */
export function ourMetadata(issuer: string, published: readonly SamlKey[]): string {
  const metadata = xml(
    'md:EntityDescriptor',
    { entityID: entityIdOf(issuer) },
    xml(
      'md:IDPSSODescriptor',
      { protocolSupportEnumeration: PROTOCOL, WantAuthnRequestsSigned: 'false' },
      ...published.map(({ certificate }) => xml('md:KeyDescriptor', { use: 'signing' }, keyInfo(certificate))),
      ...(['redirect', 'post', 'soap'] as const).map((binding) =>
        xml('md:SingleLogoutService', { Binding: BINDINGS[binding], Location: issuer + PATHS.logout }),
      ),
      ...Object.values(NAME_ID_FORMATS).map((format) => xml('md:NameIDFormat', {}, format)),
      ...(['redirect', 'post'] as const).map((binding) =>
        xml('md:SingleSignOnService', { Binding: BINDINGS[binding], Location: issuer + PATHS.signOn }),
      ),
    ),
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${canonical(metadata)}\n`
}
