/**
 * Envoy's ext_authz over HTTP: the request's own method, host and headers, and its path behind our prefix. 200 lets it
 * pass; everything else goes to the browser as it is.
 */
import { toldBehind } from '#http'
import type { Dialect } from '../dialect.ts'

const PREFIX = '/authz/envoy'

export const envoy: Dialect = Object.freeze({
  name: 'envoy',
  prefix: `${PREFIX}/`,
  read: (request, headers) => toldBehind(PREFIX, request, headers),
  write: (reply) => reply,
} satisfies Dialect)
