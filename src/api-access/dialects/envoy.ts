/**
 * Envoy's ext_authz over HTTP: the request's own method, host and headers, and its path behind our prefix, which names the API
 * (`path_prefix: /authz/api/orders`). 200 lets it pass; everything else goes to the client as it is.
 */
import { toldBehind } from '#http'
import { type Dialect, PLACE } from '../dialect.ts'

const PREFIX = new RegExp(`^${PLACE}/([a-z0-9-]+)`)

export const envoy: Dialect = Object.freeze({
  name: 'envoy',
  asks: ({ url = '' }) => url.startsWith(`${PLACE}/`),
  read(request, headers) {
    const [prefix = PLACE, app] = PREFIX.exec(request.url ?? '') ?? []
    return { ...toldBehind(prefix, request, headers), app }
  },
  write: (reply) => reply,
} satisfies Dialect)
