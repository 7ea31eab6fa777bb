/**
 * How strongly somebody signed in, in the words of SAML (SAML 2.0 Authentication Context, REFEDS MFA Profile), and back.
 *
 * The classes of passwords are what apps write that ask for nothing in particular, so they are met by whoever has signed in at
 * all, also with more than that. A class that is not known here cannot be promised: the request is told so.
 */
const CLASSES = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
const REFEDS_MFA = 'https://refeds.org/profile/mfa'

const STRENGTH_OF: Readonly<Record<string, string>> = Object.freeze({
  [`${CLASSES}PasswordProtectedTransport`]: 'any',
  [`${CLASSES}Password`]: 'any',
  [`${CLASSES}unspecified`]: 'any',
  [REFEDS_MFA]: 'two-factors',
  [`${CLASSES}MobileTwoFactorContract`]: 'two-factors',
  [`${CLASSES}TimeSyncToken`]: 'two-factors',
  // what Microsoft's products write
  'http://schemas.microsoft.com/claims/multipleauthn': 'two-factors',
})

/** Our strengths as URIs, for those that no class of anybody else's fits. */
const OWN = '/saml/strengths/'

/** The strength that a class stands for; undefined where nobody here knows the class. */
export function strengthOf(uri: string, issuer: string, known: readonly string[]): string | undefined {
  if (Object.hasOwn(STRENGTH_OF, uri)) return STRENGTH_OF[uri]
  const own = uri.startsWith(issuer + OWN) ? uri.slice((issuer + OWN).length) : undefined
  return own !== undefined && known.includes(own) ? own : undefined
}

/**
 * The AuthnContextClassRef of an answer. Where the request asked for classes, the first of these that `acr` meets: an app
 * that asks for exactly one wants to read that one.
 */
export function classOf(
  acr: string | undefined,
  amr: readonly string[],
  requested: readonly string[],
  issuer: string,
): string {
  const asked = requested.find((uri) => strengthOf(uri, issuer, acr === undefined ? [] : [acr]) === acr)
  if (asked !== undefined) return asked
  if (acr === 'two-factors') return REFEDS_MFA
  if (acr !== undefined && acr !== 'any') return `${issuer}${OWN}${acr}`
  return CLASSES + (amr.includes('pwd') ? 'PasswordProtectedTransport' : 'unspecified')
}
