/** `{name}` in addresses and settings: finding and filling. A brace with anything else inside is ordinary text. */

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/g

/** What the gateway itself fills in for an app of each protocol, with the meaning shown to who writes a template. */
export const VALUES = Object.freeze({
  any: { issuer: 'the public URL of the gateway' },
  oidc: {
    client_id: 'the id under which the app is registered',
    client_secret: 'shown once, at registration',
    discovery_url: 'the address of the OpenID configuration',
    authorization_endpoint: 'where browsers are sent to sign in',
    token_endpoint: 'where codes become tokens',
    userinfo_endpoint: 'the claims of the person',
    jwks_uri: 'the public signing keys',
    end_session_endpoint: 'where browsers are sent to sign out',
    scopes: 'the scopes of the app, separated by blanks',
  },
  saml: {
    saml_metadata_url: 'the address of our metadata',
    saml_entity_id: 'our name; the same as the address of the metadata',
    saml_sso_url: 'where browsers are sent to sign in',
    saml_slo_url: 'where sign-outs go',
    saml_certificate: 'the certificate that signs now, as PEM',
    saml_certificate_line: 'the same on one line, without its first and last',
    saml_fingerprint: 'its SHA-256, with colons',
  },
})

export type OidcValue = keyof (typeof VALUES)['oidc']
export type SamlValue = keyof (typeof VALUES)['saml']
export type KnownValue = keyof (typeof VALUES)['any'] | OidcValue | SamlValue

export const KNOWN_VALUES: Readonly<Record<KnownValue, string>> = Object.freeze({
  ...VALUES.any,
  ...VALUES.oidc,
  ...VALUES.saml,
})

export interface Placeholder {
  readonly name: string
  readonly before: string
  readonly after: string
}

export const placeholdersOf = (text: string): Placeholder[] =>
  [...text.matchAll(PLACEHOLDER)].map((match) => ({
    name: match[1]!,
    before: text.slice(0, match.index),
    after: text.slice(match.index + match[0].length),
  }))

/** The protocols whose values stand in a text: settings belong to an app that speaks all of them. */
export function protocolsIn(text: string): ('oidc' | 'saml')[] {
  const names = new Set(placeholdersOf(text).map(({ name }) => name))
  return (['oidc', 'saml'] as const).filter((protocol) => Object.keys(VALUES[protocol]).some((name) => names.has(name)))
}

/**
 * The text with every placeholder filled, or undefined when a value is missing. One pass: a value that itself looks
 * like a placeholder stays as it is.
 */
export function render(text: string, values: Readonly<Record<string, string>>): string | undefined {
  let complete = true
  const rendered = text.replace(PLACEHOLDER, (_, name: string) => {
    if (Object.hasOwn(values, name)) return values[name]!
    complete = false
    return ''
  })
  return complete ? rendered : undefined
}
