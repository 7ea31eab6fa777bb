/** Caddy: `forward_auth` in a `route`, so that what the client sent is gone before. */
import type { GatewaySnippet, SnippetValues } from '../snippet.ts'

/** Whose it is, and whether it still holds, we look at ourselves. */
const ASKED = `  tls {
    client_auth {
      mode request
    }
  }
`

/** RFC 9440 §2.2; without a certificate nothing stands between the colons, and nobody else may say it. */
const shown = (header: string): string =>
  `      header_up ${header} ":{http.request.tls.client.certificate_der_base64}:"\n`

/** What a client needs to know of this API (RFC 9728). */
const told = ({ path, from }: NonNullable<SnippetValues['metadata']>, portico: string): string =>
  `  handle ${path} {
    rewrite * ${from}
    reverse_proxy ${portico}
  }
`

export const caddy: GatewaySnippet = {
  name: 'caddy',
  files: ({ id, sites, portico, upstream, headers, stripped, certificate, metadata }) => [
    {
      format: 'caddy',
      file: 'Caddyfile',
      text: `# ${id}: every call is put to Portico before it reaches the API
${sites.map(({ host, secure }) => `${secure ? 'https' : 'http'}://${host}`).join(', ')} {
${certificate !== undefined && sites.some(({ secure }) => secure) ? ASKED : ''}${metadata ? told(metadata, portico) : ''}  route {
    # a header that it names is dropped before the API sees it, ours too: so it names none
    request_header Connection ""
${[...headers, ...stripped].map((name) => `    request_header -${name}`).join('\n')}
    forward_auth ${portico} {
      uri /authz/api?api=${id}
${certificate === undefined ? '' : shown(certificate)}      copy_headers ${headers.join(' ')}
    }
    reverse_proxy ${upstream}
  }
}
`,
    },
  ],
}
