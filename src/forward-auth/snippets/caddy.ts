/** Caddy: `forward_auth` in a `route`, so that what the client sent is gone before. */
import type { ProxySnippet } from '../snippet.ts'

export const caddy: ProxySnippet = {
  name: 'caddy',
  files: ({ app, sites, gateway, upstream, headers }) => [
    {
      format: 'caddy',
      file: 'Caddyfile',
      text: `# ${app.id}: every request is put to Portico before it reaches the app
${sites.map(({ host, secure }) => `${secure ? 'https' : 'http'}://${host}`).join(', ')} {
  route {
${headers.map((name) => `    request_header -${name}`).join('\n')}
    forward_auth ${gateway} {
      uri /authz/forward
      copy_headers ${headers.join(' ')}
    }
    reverse_proxy ${upstream}
  }
}
`,
    },
  ],
}
