/** Traefik's ForwardAuth, Caddy's forward_auth, and HAProxy by a few lines of Lua: the request in `X-Forwarded-*`. */
import { toldForwarded } from '#http'
import { apiIn, type Dialect, PLACE } from '../dialect.ts'

export const forward: Dialect = Object.freeze({
  name: 'forward',
  asks: ({ url = '', headers }) => !url.startsWith(`${PLACE}/`) && headers['x-original-url'] === undefined,
  read: (request, headers) => ({ ...toldForwarded(headers), app: apiIn(request) }),
  write: (reply) => reply,
} satisfies Dialect)
