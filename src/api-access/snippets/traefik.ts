/** Traefik, version 3: a dynamic configuration for its file provider. */
import { type GatewaySnippet, unique } from '../snippet.ts'

export const traefik: GatewaySnippet = {
  name: 'traefik',
  files({ id, sites, portico, upstream, headers, stripped, certificate, metadata }) {
    const gone = [...headers, ...stripped, ...(certificate === undefined ? [] : [certificate])]
    const secure = sites.some((site) => site.secure)
    const hosts = unique(sites.map(({ name }) => `Host(\`${name}\`)`)).join(' || ')
    const entry = `      entryPoints: [${secure ? 'websecure' : 'web'}]\n${secure ? '      tls: {}\n' : ''}`
    // what a client needs to know of this API (RFC 9728)
    const router = (path: string) => `    ${id}-metadata:
      rule: "(${hosts}) && Path(\`${path}\`)"
${entry}      middlewares: [${id}-metadata]
      service: ${id}-portico
`
    const replaced = (from: string) => `    ${id}-metadata:
      replacePath:
        path: ${from}
`
    const server = `    ${id}-portico:
      loadBalancer:
        servers:
          - url: http://${portico}
`
    return [
      {
        format: 'traefik',
        file: `/etc/traefik/dynamic/${id}.yaml`,
        text: `# ${id}: every call is put to Portico before it reaches the API
http:
  routers:
    ${id}:
      rule: "${hosts}"
${entry}      middlewares: [${id}-strip, ${id}-portico]
      service: ${id}
${metadata ? router(metadata.path) : ''}  middlewares:
${metadata ? replaced(metadata.from) : ''}    # what a client says about itself is taken away before anybody is asked
    ${id}-strip:
      headers:
        customRequestHeaders:
${gone.map((name) => `          ${name}: ""`).join('\n')}
    ${id}-portico:
      forwardAuth:
        address: http://${portico}/authz/api?api=${id}
        trustForwardHeader: false
        authResponseHeaders:
${headers.map((name) => `          - ${name}`).join('\n')}
  services:
    ${id}:
      loadBalancer:
        servers:
          - url: ${upstream}
${metadata ? server : ''}`,
      },
    ]
  },
}
