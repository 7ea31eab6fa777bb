/**
 * Traefik's ForwardAuth, Caddy's forward_auth, and HAProxy by a few lines of Lua: the request in `X-Forwarded-*`. Whatever is
 * no 2xx goes to the browser as it is, with `Location`, `Set-Cookie` and body.
 */
import { appIn, type Dialect } from '../dialect.ts'

export const forward: Dialect = Object.freeze({
  name: 'forward',
  prefix: '/authz/forward',
  read: (request, { one }) => ({
    method: one('x-forwarded-method'),
    scheme: one('x-forwarded-proto'),
    host: one('x-forwarded-host'),
    uri: one('x-forwarded-uri'),
    app: appIn(request),
  }),
  write: (reply) => reply,
} satisfies Dialect)
