/** What stands in a proxy's configuration for one app, with real values. To add a proxy: a file in `snippets/`, its line in the list. */
import type { App } from '#catalog'
import { isLoopback } from '#http'
import { namesFor } from './identity.ts'

/** A host of the app, as a proxy listens for it. */
export interface Site {
  readonly host: string
  readonly name: string
  readonly port: number
  readonly secure: boolean
}

export interface SnippetValues {
  readonly app: App
  readonly sites: readonly Site[]
  /** `127.0.0.1:3000`: where the proxy reaches us. */
  readonly gateway: string
  /** `http://10.0.0.5:8080`: where it reaches the app. */
  readonly upstream: string
  /** Names of all headers that we set, and the client must not. */
  readonly headers: readonly string[]
  /** Names of headers by which an app could be told of another path than we were, or be led to take a connection for a tunnel. */
  readonly stripped: readonly string[]
  /** What stands behind the address of the question: whose proxy asks. */
  readonly query: string
}

export interface ProxyFile {
  readonly format: string
  /** Where it usually stands. */
  readonly file: string
  readonly text: string
}

export interface ProxySnippet {
  readonly name: string
  files(values: SnippetValues): ProxyFile[]
}

/** No app goes on in HTTP/2 without the last (RFC 7540 §3.2.1). */
const STRIPPED = ['X-Original-URL', 'X-Rewrite-URL', 'HTTP2-Settings']
const UPSTREAM = 'http://127.0.0.1:8080'

/** `listen` of the settings: where no address is said, the proxy stands on the same machine. */
export function snippetValues(app: App, listen: string): SnippetValues {
  const { hosts = [], upstream = UPSTREAM } = app.forwardAuth ?? {}
  return {
    app,
    sites: hosts.map(siteOf),
    gateway: listen.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:'),
    upstream,
    headers: namesFor(app),
    stripped: STRIPPED,
    query: `?app=${app.id}`,
  }
}

function siteOf(host: string): Site {
  const [, name = host, port] = /^(.+?)(?::(\d+))?$/.exec(host) ?? []
  const secure = !isLoopback(name)
  return { host, name, secure, port: port === undefined ? (secure ? 443 : 80) : Number(port) }
}

export const unique = <T>(values: readonly T[]): T[] => [...new Set(values)]
