/** Envoy: a listener with ext_authz over HTTP. */
import { type ProxySnippet, unique } from '../snippet.ts'

/** What the question needs of the request, besides its method, host and path. */
// biome-ignore format: a list of words
const ASKED = [
  'accept', 'accept-language', 'content-type', 'cookie', 'http2-settings', 'origin', 'sec-fetch-mode', 'sec-websocket-key', 'upgrade', 'user-agent',
  'x-forwarded-for', 'x-forwarded-proto', 'x-http-method', 'x-http-method-override', 'x-method-override', 'x-original-url',
  'x-requested-with', 'x-rewrite-url',
]

const address = (where: string): string => {
  const { hostname, port, protocol } = new URL(where)
  return `{ address: ${hostname.replace(/^\[|\]$/g, '')}, port_value: ${port || (protocol === 'https:' ? 443 : 80)} }`
}

const tls = (names: readonly string[]): string => `
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: { filename: /etc/envoy/tls/${names[0]}.crt }
              private_key: { filename: /etc/envoy/tls/${names[0]}.key }`

const cluster = (name: string, where: string): string => `  - name: ${name}
    type: STRICT_DNS
    load_assignment:
      cluster_name: ${name}
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: ${address(where)} } }`

export const envoy: ProxySnippet = {
  name: 'envoy',
  files({ app: { id }, sites, gateway, upstream, headers }) {
    const names = unique(sites.map(({ name }) => name))
    const domains = unique(sites.flatMap(({ host, name, port }) => [host, `${name}:${port}`]))
    const ports = unique(sites.map(({ port }) => port))
    const secure = sites.some((site) => site.secure)
    const exact = (list: readonly string[]) =>
      list.map((name) => `                    - exact: ${name.toLowerCase()}`).join('\n')
    const listener = (port: number) => `  - name: ${id}-${port}
    address: { socket_address: { address: ${secure ? '0.0.0.0' : '127.0.0.1'}, port_value: ${port} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ${id}
          use_remote_address: true
          normalize_path: true
          merge_slashes: false
          path_with_escaped_slashes_action: REJECT_REQUEST
          # an app may read Remote_User as Remote-User
          common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }
          upgrade_configs: [{ upgrade_type: websocket }]
          route_config:
            virtual_hosts:
            - name: ${id}
              domains: [${domains.map((domain) => `"${domain}"`).join(', ')}]
              routes: [{ match: { prefix: / }, route: { cluster: ${id} } }]
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              failure_mode_allow: false
              http_service:
                server_uri: { uri: http://${gateway}, cluster: portico, timeout: 5s }
                path_prefix: /authz/envoy
                authorization_request:
                  allowed_headers:
                    patterns:
${exact(ASKED)}
                authorization_response:
                  allowed_upstream_headers:
                    patterns:
${exact(headers)}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router${secure ? tls(names) : ''}`
    return [
      {
        format: 'envoy',
        file: '/etc/envoy/envoy.yaml',
        text: `# ${id}: every request is put to Portico before it reaches the app
static_resources:
  listeners:
${ports.map(listener).join('\n')}
  clusters:
${cluster('portico', `http://${gateway}`)}
${cluster(id, upstream)}
`,
      },
    ]
  },
}
