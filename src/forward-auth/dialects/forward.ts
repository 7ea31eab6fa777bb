/**
 * Traefik's ForwardAuth, Caddy's forward_auth, and HAProxy by a few lines of Lua: the request in `X-Forwarded-*`. Whatever is
 * no 2xx goes to the browser as it is, with `Location`, `Set-Cookie` and body.
 */
import { toldForwarded } from '#http'
import { appIn, type Dialect } from '../dialect.ts'

export const forward: Dialect = Object.freeze({
  name: 'forward',
  prefix: '/authz/forward',
  read: (request, headers) => ({ ...toldForwarded(headers), app: appIn(request) }),
  write: (reply) => reply,
} satisfies Dialect)
