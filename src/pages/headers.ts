/** The headers of every page: what the browser may do with it. */
import type { Sending } from '#http'
import { safeHref } from './markup.ts'
import type { View } from './views.ts'

/**
 * ATTACK: to URL a semicolon, a comma and a star are letters of a host like others; here they would begin another directive or
 * another policy, or open the page to every host.
 */
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w.-]+)$/

function sourceOf(target: string): string | undefined {
  if (!URL.canParse(target)) return undefined
  const url = new URL(target)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    // an app's own scheme (RFC 8252 §7.1) has no origin; scripts and data are never a place to send a form to
    return /^(?:javascript|data|blob|about|file|vbscript):$/.test(url.protocol) ? undefined : url.protocol
  }
  if (!HOST.test(url.hostname)) return undefined
  // CSP's host-source knows no IPv6 literal (CSP3 §2.3.1): the scheme is the narrowest there is
  return url.hostname.startsWith('[') ? url.protocol : url.origin
}

/**
 * Content-Security-Policy, level 3. `frames` is what this page loads from apps out of sight; what they answer may
 * lead back to us (SAML), where nothing shows in a frame. `formTargets` are addresses to which a form of this page may lead: Chrome holds
 * `form-action` against the redirects after a POST too, so the app's redirect URI must be among them.
 */
export function contentSecurityPolicy(
  nonce: string,
  formTargets: readonly string[] = [],
  frames: readonly Sending[] = [],
): string {
  // ATTACK: a nonce with a quote or a blank would open the policy; ours is base64
  if (!/^[\w+/=-]{16,}$/.test(nonce)) throw new Error('nonce is too short or not base64')
  const sources = (addresses: readonly string[]) => new Set(addresses.map(sourceOf).filter((one) => one !== undefined))
  const posted = frames.filter(({ fields }) => fields !== undefined)
  const urls = (some: readonly Sending[]) => some.map(({ url }) => url)
  return [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    ["form-action 'self'", ...sources([...formTargets, ...urls(posted)])].join(' '),
    ...(frames.length > 0 ? [["frame-src 'self'", ...sources(urls(frames))].join(' ')] : []),
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
}

// No Cross-Origin-Opener-Policy on sign-in pages: it would cut the tie between an app and the popup in which the app
// lets people sign in, for good. Pages that no app opens can be `isolated`.
export const pageHeaders = (
  nonce: string,
  language: string,
  formTargets: readonly string[],
  isolated: boolean,
  { frames, later, postOn }: Pick<View, 'frames' | 'later' | 'postOn'> = {},
): Readonly<Record<string, string>> => ({
  'content-type': 'text/html; charset=utf-8',
  'content-language': language,
  'content-security-policy': contentSecurityPolicy(nonce, postOn ? [...formTargets, postOn.url] : formTargets, frames),
  // same-origin and not no-referrer: with that one, browsers send `Origin: null` with our own forms
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY', // for browsers older than frame-ancestors
  'cache-control': 'no-store',
  'permissions-policy':
    'publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()',
  'cross-origin-resource-policy': 'same-origin',
  'x-robots-tag': 'noindex, nofollow',
  // as a header, which no reader of the page can take for a part of it
  ...(later ? { refresh: `${later.seconds};url=${safeHref(later.to)}` } : {}),
  ...(isolated ? { 'cross-origin-opener-policy': 'same-origin' } : {}),
})
