/**
 * Which addresses an app may register. They are stored and compared exactly as given (RFC 6749 §3.1.2, RFC 9700 §4.1),
 * so every spelling that two programs could read differently is refused here, once, before it is stored.
 */
import { isHost, LOOPBACK, lookAlikeProblem } from '#http'

export const LONGEST_ADDRESS = 2000

/**
 * - `redirect`: where codes go. https, http on a loopback address (RFC 8252 §7.3), or a private-use scheme (§7.1)
 * - `page`: where browsers go. https, or http on a loopback address
 * - `endpoint`: what the gateway itself calls. The same as `page`
 */
export type AddressUse = 'redirect' | 'page' | 'endpoint'

const VISIBLE_ASCII = /^[\x21-\x7e]+$/
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9]\d{0,4}))?$/
// RFC 8252 §8.4: a scheme that belongs to somebody is their domain name in reverse, so it has a dot
const PRIVATE_USE = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:(\/.*)$/
const WEB = /^(https?):\/\/([^/?]*)(\/[^?]*)?(?:\?(.*))?$/
/** What an authorization response adds (RFC 6749 §4.1.2, RFC 9207, OIDC Session): an address that brings its own confuses the app. */
const RESPONSE_PARAMETERS = new Set(
  'access_token code error error_description error_uri expires_in id_token iss response session_state state token_type'.split(
    ' ',
  ),
)

/** What is wrong with an address as a clause after its name, or undefined when it may be registered. */
export function addressProblem(text: string, use: AddressUse): string | undefined {
  if (text.length > LONGEST_ADDRESS) return `is longer than ${LONGEST_ADDRESS} characters`
  if (!VISIBLE_ASCII.test(text))
    return 'holds a blank, a control character or a letter outside ASCII (write host names in punycode)'
  if (text.includes('\\')) return 'holds a backslash, which browsers read as a slash'
  if (text.includes('#')) return 'holds a fragment, which RFC 6749 §3.1.2 forbids'
  if (text.includes('*')) return 'holds a wildcard; every address is listed by itself'
  if (/["<>^`{|}]/.test(text)) return 'holds a character that must be percent-encoded'
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return 'holds a broken percent-encoding'
  if (/%(?:2e|2f|5c|[01][0-9a-f]|7f)/i.test(text))
    return 'hides a dot, a slash or a control character behind a percent-encoding'
  const web = WEB.exec(text)
  if (!web) return privateUseProblem(text, use)
  const [, scheme, authority, path = '', query = ''] = web
  if (authority!.includes('@')) return 'holds a user name or several `@`'
  const [, host, port] = AUTHORITY.exec(authority!) ?? []
  const alike = host === undefined ? undefined : lookAlikeProblem(host)
  if (alike) return alike
  if (host === undefined || !isHost(host)) return 'has no host in plain lower-case spelling'
  if (port !== undefined && Number(port) > 65_535) return 'has a port above 65535'
  if (scheme === 'http' && !LOOPBACK.has(host)) return 'is not `https` (`http` is only for a loopback address)'
  if (hasDotSegment(path)) return 'holds a `.` or `..` segment'
  if (use === 'redirect') {
    const clash = [...new URLSearchParams(query).keys()].find((name) => RESPONSE_PARAMETERS.has(name))
    if (clash) return `already carries the response parameter \`${clash}\``
  }
  return undefined
}

function privateUseProblem(text: string, use: AddressUse): string | undefined {
  const rest = PRIVATE_USE.exec(text)?.[1]
  if (use !== 'redirect') return 'is not an `https` address'
  if (rest === undefined) return 'is neither `https` nor a private-use scheme in reverse domain form (RFC 8252 §7.1)'
  if (rest.includes('@')) return 'holds a user name or several `@`'
  if (hasDotSegment(rest.split('?')[0]!)) return 'holds a `.` or `..` segment'
  return URL.canParse(text) ? undefined : 'is not an address'
}

/** ATTACK: `..;x` counts too: some servers cut path parameters off before they resolve dots. */
const hasDotSegment = (path: string): boolean => path.split('/').some((segment) => /^\.{1,2}(?:;|$)/.test(segment))
