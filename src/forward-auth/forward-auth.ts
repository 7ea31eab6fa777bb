/**
 * Forward-auth: apps that know no protocol, behind a proxy that asks us about each request.
 *
 *     browser → proxy → "may this pass?" → rule of the app → key of this browser → verdict → headers for the app
 *
 * - `open.ts`           the path of a question            - `dialect.ts` `dialects/` how each proxy asks, a file each
 * - `rules.ts`          which rule of the app holds       - `verdicts.ts` the question, put again when anything changed
 * - `identity.ts`       who is there, for the app         - `replies.ts` our answers
 * - `opening.ts`        what a browser carries to us      - `start.ts`   where it arrives, and goes back with a code
 * - `upgrades.ts`     what may become a WebSocket
 * - `own-paths.ts`      `/.portico/` on the app's host    - `keys-to-apps.ts` the code, and the cookie that it becomes
 * - `snippet.ts` `snippets/` what stands in the proxy's configuration: behind `#forward-auth/proxy-files`
 *
 * Nobody's word counts who is not in `proxies`. A browser that has not opened the app goes to us, is asked there, and comes
 * back with a code for a cookie of that host alone. Both go with the session.
 */
export { signOutWay } from './keys-to-apps.ts'
export { type ForwardAuthDoor, openForwardAuth } from './open.ts'
