/** Envoy: the filter ext_authz over HTTP, and the two clusters, to be put into a listener of yours. */
import type { GatewaySnippet } from '../snippet.ts'

/** What the question needs of the call, besides its method, host and path. */
const ASKED = [
  ...['authorization', 'content-type', 'dpop', 'upgrade', 'x-forwarded-for', 'x-forwarded-proto', 'x-http-method'],
  ...['x-http-method-override', 'x-method-override', 'x-original-url', 'x-rewrite-url'],
]

const address = (where: string): string => {
  const { hostname, port, protocol } = new URL(where)
  return `{ address: ${hostname.replace(/^\[|\]$/g, '')}, port_value: ${port || (protocol === 'https:' ? 443 : 80)} }`
}
const exact = (names: readonly string[], indent: number) =>
  names.map((name) => `${' '.repeat(indent)}- exact: ${name.toLowerCase()}`).join('\n')
const cluster = (name: string, where: string): string => `- name: ${name}
  type: STRICT_DNS
  load_assignment:
    cluster_name: ${name}
    endpoints:
    - lb_endpoints:
      - endpoint: { address: { socket_address: ${address(where)} } }`

export const envoy: GatewaySnippet = {
  name: 'envoy',
  files: ({ id, portico, upstream, headers }) => [
    {
      format: 'envoy',
      file: `/etc/envoy/${id}-filter.yaml`,
      text: `# ${id}: every call is put to Portico before it reaches the API. In the http_connection_manager before the router, with
#   use_remote_address: true, normalize_path: true, path_with_escaped_slashes_action: REJECT_REQUEST
#   common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }
http_filters:
- name: envoy.filters.http.ext_authz
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    failure_mode_allow: false
    allowed_headers:
      patterns:
${exact(ASKED, 6)}
    http_service:
      server_uri: { uri: http://${portico}, cluster: portico, timeout: 5s }
      path_prefix: /authz/api/${id}
      authorization_response:
        allowed_upstream_headers:
          patterns:
${exact(headers, 10)}
`,
    },
    {
      format: 'envoy',
      file: `/etc/envoy/${id}-clusters.yaml`,
      text: `clusters:\n${cluster('portico', `http://${portico}`)}\n${cluster(id, upstream)}\n`,
    },
  ],
}
