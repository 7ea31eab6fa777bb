/** Kong: a declarative configuration; the question is put by the plugin pre-function, which comes with every Kong. */
import { type GatewaySnippet, type SnippetValues, unique } from '../snippet.ts'

/** What the question needs of the call, besides its method, host and path. */
const ASKED = [
  ...['Authorization', 'Content-Type', 'DPoP', 'Upgrade'],
  ...['X-HTTP-Method', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-Original-URL', 'X-Rewrite-URL'],
]

const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')

/** What a client needs to know of this API (RFC 9728). */
const told = ({ path, from }: NonNullable<SnippetValues['metadata']>, portico: string): string =>
  `        if kong.request.get_path() == "${path}" then
          local document = http:request_uri("http://${portico}${from}", { method = "GET" })
          if not document then
            return kong.response.exit(503, { code = "storage-unavailable" })
          end
          return kong.response.exit(document.status, document.body, { ["Content-Type"] = document.headers["Content-Type"] })
        end
`

export const kong: GatewaySnippet = {
  name: 'kong',
  files: ({ id, sites, portico, upstream, headers, stripped, metadata }) => [
    {
      format: 'kong',
      file: `${id}.yaml`,
      text: `# ${id}: every call is put to Portico before it reaches the API. In kong.conf:
#   untrusted_lua_sandbox_requires = resty.http
#   trusted_ips names the proxies before Kong, and nobody else
_format_version: "3.0"
services:
- name: ${id}
  url: ${upstream}
  routes:
  - name: ${id}
    hosts: [${list(unique(sites.map(({ name }) => name)))}]
    paths: ["/"]
    strip_path: false
    preserve_host: true
  plugins:
  - name: pre-function
    config:
      access:
      - |
        local asked = {
          ["X-Forwarded-Method"] = kong.request.get_method(),
          ["X-Forwarded-Proto"] = kong.request.get_scheme(),
          ["X-Forwarded-Host"] = kong.request.get_header("Host"),
          ["X-Forwarded-Uri"] = kong.request.get_path_with_query(),
          ["X-Forwarded-For"] = kong.client.get_forwarded_ip(),
        }
        -- all values of a header that came twice: Portico refuses what is not clear
        local sent = kong.request.get_headers(1000)
        for _, name in ipairs({ ${list(ASKED)} }) do
          asked[name] = sent[name]
        end
        local http = require("resty.http").new()
        http:set_timeout(5000)
${metadata ? told(metadata, portico) : ''}        local answer = http:request_uri("http://${portico}/authz/api?api=${id}", { method = "GET", headers = asked })
        if not answer then
          return kong.response.exit(503, { code = "storage-unavailable" })
        end
        if answer.status ~= 200 then
          return kong.response.exit(answer.status, answer.body, {
            ["Content-Type"] = answer.headers["Content-Type"],
            ["WWW-Authenticate"] = answer.headers["WWW-Authenticate"],
            ["Cache-Control"] = "no-store",
          })
        end
        for _, name in ipairs({ ${list(stripped)} }) do
          kong.service.request.clear_header(name)
        end
        for _, name in ipairs({ ${list(headers)} }) do
          local value = answer.headers[name]
          kong.service.request.clear_header(name)
          if value then kong.service.request.set_header(name, value) end
        end
`,
    },
  ],
}
