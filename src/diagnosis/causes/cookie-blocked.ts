/** A cookie that we set a moment ago did not come back with the browser. */
import type { Cause } from '../cause.ts'
import { say } from '../sentence.ts'

export const cookieBlocked: Cause = {
  code: 'cookie-blocked',
  find({ app, seen: { cookie, loop } }, issuer) {
    const onApp = cookie === 'opening' || loop?.via === 'forward-auth'
    if (!cookie && !onApp) return undefined
    const host = onApp ? (app.forwardAuth?.hosts[0] ?? app.id) : new URL(issuer).host
    const came = loop
      ? say`The same browser opened the app ${loop.times} times within ${loop.within} seconds, each time without the cookie that ${host} had set`
      : say`The browser came back without the cookie that ${host} had set`
    return {
      cause: `${came}: likely it blocks cookies there (a frame of another site, private mode, SameSite), or came by another address.`,
      fix: onApp
        ? [
            `portico apps snippet ${app.id} --for nginx    # or traefik, caddy, envoy, haproxy: the proxy has to pass on the browser's \`Cookie\` to us, and \`Set-Cookie\` of our answer to the browser`,
            say`in the browser: allow cookies for ${host}`,
          ]
        : [
            say`in the app: open the sign-in in the whole window, never in a frame, at ${issuer} and by no other name`,
            say`in the browser: allow cookies for ${host}`,
          ],
      likely: true,
    }
  },
}
