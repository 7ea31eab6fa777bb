/** Caddy: `forward_auth` in a `route`, so that what the client sent is gone before. */
import type { ProxySnippet } from '../snippet.ts'

export const caddy: ProxySnippet = {
  name: 'caddy',
  files: ({ app, sites, gateway, upstream, headers, stripped, query }) => [
    {
      format: 'caddy',
      file: 'Caddyfile',
      text: `# ${app.id}: every request is put to Portico before it reaches the app
${sites.map(({ host, secure }) => `${secure ? 'https' : 'http'}://${host}`).join(', ')} {
  # the headers that it names are dropped before the app sees them, ours too: so it names none
  @upgrade header_regexp Connection (?i)\\bupgrade\\b
  @others not header_regexp Connection (?i)\\bupgrade\\b
  # a connection becomes a WebSocket or nothing else: what is asked on it later is put to nobody
  @tunnel {
    header Upgrade *
    not header_regexp Upgrade (?i)^websocket$
  }
  route {
    request_header @others -Connection
    request_header @upgrade Connection Upgrade
    request_header @tunnel -Upgrade
${[...headers, ...stripped].map((name) => `    request_header -${name}`).join('\n')}
    forward_auth ${gateway} {
      uri /authz/forward${query}
      copy_headers ${headers.join(' ')}
    }
    reverse_proxy ${upstream}
  }
}
`,
    },
  ],
}
