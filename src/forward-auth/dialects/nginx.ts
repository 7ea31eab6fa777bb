/**
 * nginx's auth_request: 2xx, 401 and 403 are all that it knows, everything else becomes a 500, and neither the body nor
 * `Location` reach the browser. Where to send it stands in a header of ours, which the configuration reads (`error_page`).
 */
import { toldOriginal } from '#http'
import { appIn, type Dialect, type Reply } from '../dialect.ts'

export const LOCATION = 'x-portico-location'

export const nginx: Dialect = Object.freeze({
  name: 'nginx',
  prefix: '/authz/nginx',
  read: (request, headers) => ({ ...toldOriginal(headers), app: appIn(request) }),
  write({ status, headers, body, elsewhere }): Reply {
    if (status < 300 || status >= 500) return { status, headers, ...(body === undefined ? {} : { body }) }
    const { location, ...others } = headers
    const to = location ?? elsewhere
    return {
      status: status === 401 || (status < 400 && to !== undefined) ? 401 : 403,
      headers: { ...others, ...(to === undefined ? {} : { [LOCATION]: to }) },
    }
  },
} satisfies Dialect)
