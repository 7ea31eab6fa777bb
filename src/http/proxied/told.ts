/** What a client asked a proxy for, in the ways in which proxies say it. */
import type { IncomingMessage } from 'node:http'
import { Refusal } from '#core/refusal'
import type { ProxyHeaders } from './headers.ts'

export interface Told {
  readonly method: string
  readonly scheme: string
  /** With the port, where there is one. */
  readonly host: string
  /** The path and the query as they came. */
  readonly uri: string
  /** What this proxy stands before, where its configuration says so. */
  readonly app?: string | undefined
}

const ADDRESS = /^([a-z]+):\/\/([^/?#]+)(\/.*)$/

/** Traefik's ForwardAuth, Caddy's forward_auth, and HAProxy by a few lines of Lua. Throws Refusal `request-refused`. */
export const toldForwarded = ({ one }: ProxyHeaders): Told => ({
  method: one('x-forwarded-method'),
  scheme: one('x-forwarded-proto'),
  host: one('x-forwarded-host'),
  uri: one('x-forwarded-uri'),
})

/** nginx's auth_request, whose configuration names the whole address in one header. Throws Refusal `request-refused`. */
export function toldOriginal({ one }: ProxyHeaders): Told {
  const [, scheme, host, uri] = ADDRESS.exec(one('x-original-url')) ?? []
  if (scheme === undefined || host === undefined || uri === undefined)
    throw new Refusal('request-refused', 'x-original-url is no address')
  return { method: one('x-original-method'), scheme, host, uri }
}

/** Envoy's ext_authz over HTTP: the request's own method and host, and its path behind a prefix. Throws Refusal `request-refused`. */
export const toldBehind = (
  prefix: string,
  { method = '', url = '' }: Pick<IncomingMessage, 'method' | 'url'>,
  { one }: ProxyHeaders,
): Told => ({ method, scheme: one('x-forwarded-proto'), host: one('host'), uri: url.slice(prefix.length) })
