/** Cross-site request forgery: who sent this form? */
import type { IncomingHttpHeaders } from 'node:http'

/**
 * True where a browser says that another site sent the request. Browsers send `Sec-Fetch-Site` or at least `Origin`
 * with every POST; a client that sends neither is not a browser and carries nobody's cookies.
 * ATTACK: `same-site` is not enough: a sibling host may be somebody else's.
 */
export function isCrossOrigin(headers: IncomingHttpHeaders, ownOrigin: string): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  const origin = headers.origin
  return origin !== undefined && origin !== ownOrigin
}
