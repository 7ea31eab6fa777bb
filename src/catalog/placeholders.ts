/** `{name}` in addresses and settings: finding and filling. A brace with anything else inside is ordinary text. */

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/g

/** What the gateway itself fills in, with the meaning shown to who writes a template. */
export const KNOWN_VALUES = Object.freeze({
  client_id: 'the id under which the app is registered',
  client_secret: 'shown once, at registration',
  issuer: 'the public URL of the gateway',
  discovery_url: 'the address of the OpenID configuration',
  authorization_endpoint: 'where browsers are sent to sign in',
  token_endpoint: 'where codes become tokens',
  userinfo_endpoint: 'the claims of the person',
  jwks_uri: 'the public signing keys',
  end_session_endpoint: 'where browsers are sent to sign out',
  scopes: 'the scopes of the app, separated by blanks',
})

export type KnownValue = keyof typeof KNOWN_VALUES
export type KnownValues = Readonly<Record<KnownValue, string>>

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
