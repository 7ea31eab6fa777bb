/**
 * nginx's auth_request: 2xx, 401 and 403 are all that it knows, and the body does not reach the client. So that its
 * configuration can say what we said, the body stands in a header as well.
 */
import { Refusal } from '#core/refusal'
import { toldOriginal } from '#http'
import { apiIn, type Dialect, PLACE } from '../dialect.ts'

export const nginx: Dialect = Object.freeze({
  name: 'nginx',
  asks: ({ url = '', headers }) => !url.startsWith(`${PLACE}/`) && headers['x-original-url'] !== undefined,
  read(request, headers) {
    // ATTACK: behind a proxy that says it in the other headers, this one is the client's word
    if (request.headers['x-forwarded-uri'] !== undefined)
      throw new Refusal('request-refused', 'x-original-url and x-forwarded-uri are both there')
    return { ...toldOriginal(headers), app: apiIn(request) }
  },
  write({ status, headers, body }) {
    if (status < 300 || status >= 500) return { status, headers, ...(body === undefined ? {} : { body }) }
    return {
      status: status === 401 ? 401 : 403,
      headers: { ...headers, ...(body === undefined ? {} : { 'X-Portico-Problem': body }) },
    }
  },
} satisfies Dialect)
