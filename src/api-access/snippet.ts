/** What stands in a gateway's configuration for one API, with real values. To add one: a file in `snippets/`, its line in the list. */
import type { Api, ApiGateway } from '#apis'
import { isLoopback } from '#http'
import { metadataAt, metadataPlace } from './resource-metadata.ts'
import { TOLD } from './told.ts'

export interface SnippetValues {
  readonly id: string
  /** Hosts of the API, as the gateway listens for them. */
  readonly sites: readonly {
    readonly host: string
    readonly name: string
    readonly port: number
    readonly secure: boolean
  }[]
  /** `127.0.0.1:3000`: where the gateway reaches us. */
  readonly portico: string
  /** `http://10.0.0.5:8080`: where it reaches the API. */
  readonly upstream: string
  /** Names of all headers that we set, and the client must not. */
  readonly headers: readonly string[]
  /** Names of headers by which an API could be told of another path than we were. */
  readonly stripped: readonly string[]
  /** What clients may read of the API: where at its own host, and where we have it (RFC 9728 §3). */
  readonly metadata?: { readonly path: string; readonly from: string }
  /** The header by which we are told the certificate of a client, where the settings name one. */
  readonly certificate?: string
}

export interface GatewayFile {
  readonly format: string
  /** Where it usually stands. */
  readonly file: string
  readonly text: string
}

export interface GatewaySnippet {
  readonly name: string
  files(values: SnippetValues): GatewayFile[]
}

/** Of the settings. `listen`: where no address is said, the gateway stands on the same machine. */
export interface Told {
  readonly listen: string
  readonly client_certificates?:
    | { readonly header?: string | undefined; readonly chain_header?: string | undefined }
    | undefined
}

/**
 * ATTACK: a certificate is public, and we believe our proxies about it. What the client itself writes into that header has to go
 * before we are asked, or a token that is bound to a certificate is of use to whoever finds it.
 */
export function snippetValues(
  api: Api & { readonly gateway: ApiGateway },
  { listen, client_certificates: certificates }: Told,
): SnippetValues {
  const { hosts, upstream } = api.gateway
  const metadata = metadataAt(api)
  return {
    id: api.id,
    sites: hosts.map(siteOf),
    portico: listen.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:'),
    upstream,
    headers: TOLD,
    stripped: [
      ...['X-Original-URL', 'X-Rewrite-URL'],
      ...(certificates?.chain_header === undefined ? [] : [certificates.chain_header]),
    ],
    ...(metadata && { metadata: { path: metadata.pathname, from: metadataPlace(api) } }),
    ...(certificates?.header === undefined ? {} : { certificate: certificates.header }),
  }
}

function siteOf(host: string) {
  const [, name = host, port] = /^(.+?)(?::(\d+))?$/.exec(host) ?? []
  const secure = !isLoopback(name)
  return { host, name, secure, port: port === undefined ? (secure ? 443 : 80) : Number(port) }
}

export const unique = <T>(values: readonly T[]): T[] => [...new Set(values)]
