/**
 * HTTP: one server in front of everything, and one door outwards.
 *
 * A request passes: limits of the socket → client address (`address.ts`) → raw prefix (the protocol engine) or a route →
 * cross-origin check for everything that changes something (`origin.ts`) → the room's handler → answer.
 * A `Refusal` thrown on the way becomes a page or a problem document through the `renderRefusal` given by the composer;
 * anything else thrown is a bug: logged with the request's id, answered as `internal` without detail.
 *
 * - `exchange.ts` what a handler receives and answers    - `router.ts` paths and methods
 * - `client-certificate.ts` with which one a client came - `lateness.ts` who comes while we are far behind
 * - `cookies.ts`  parsing and writing cookies            - `networks.ts` addresses and networks
 * - `server.ts`   listening, draining                    - `outbound.ts` requests to others
 * - `bare.ts`     answers to proxies and programs
 * - `hosts.ts` `look-alikes.ts` names of hosts           - `path-patterns.ts` paths as rules name them
 * - `proxied/`    what a proxy says that a client asked it for, read in one way only
 */
export { sourceOf, UNKNOWN_ADDRESS } from './address.ts'
export type { BareAnswer, BareHandler } from './bare.ts'
export { cookieHeader, parseCookies, type SetCookie } from './cookies.ts'
export { type Answer, json, type PageRequest, redirect, type Sending, text } from './exchange.ts'
export { isHost, isLoopback, LOOPBACK } from './hosts.ts'
export { watchLateness } from './lateness.ts'
export { lookAlikeProblem } from './look-alikes.ts'
export { createNetworks, isSpecialUse, type Networks, normaliseAddress } from './networks.ts'
export { isCrossOrigin } from './origin.ts'
export { createOutbound, type Outbound, type OutboundAnswer, type OutboundRequest } from './outbound.ts'
export { coversPattern, isPathPattern, namesPath } from './path-patterns.ts'
export { type ProxyHeaders, readHeaders } from './proxied/headers.ts'
export { otherMethods, refuseOtherPaths } from './proxied/overrides.ts'
export { readPath, type Target, targetOf } from './proxied/target.ts'
export { type Told, toldBehind, toldForwarded, toldOriginal } from './proxied/told.ts'
export { isWebSocket, refuseTunnels } from './proxied/upgrades.ts'
export type { Route } from './router.ts'
export {
  addressOf,
  clientCertificateOf,
  clientChainOf,
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  pageRequestOf,
  type RawHandler,
  type ReadyAnswer,
  requestContext,
  tryAddress,
} from './server.ts'
