/** Caddy: `forward_auth` in a `route`, so that what the client sent is gone before. */
import type { GatewaySnippet } from '../snippet.ts'

export const caddy: GatewaySnippet = {
  name: 'caddy',
  files: ({ id, sites, portico, upstream, headers, stripped }) => [
    {
      format: 'caddy',
      file: 'Caddyfile',
      text: `# ${id}: every call is put to Portico before it reaches the API
${sites.map(({ host, secure }) => `${secure ? 'https' : 'http'}://${host}`).join(', ')} {
  route {
    # a header that it names is dropped before the API sees it, ours too: so it names none
    request_header Connection ""
${[...headers, ...stripped].map((name) => `    request_header -${name}`).join('\n')}
    forward_auth ${portico} {
      uri /authz/api?api=${id}
      copy_headers ${headers.join(' ')}
    }
    reverse_proxy ${upstream}
  }
}
`,
    },
  ],
}
