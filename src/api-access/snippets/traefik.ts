/** Traefik, version 3: a dynamic configuration for its file provider. */
import { type GatewaySnippet, unique } from '../snippet.ts'

export const traefik: GatewaySnippet = {
  name: 'traefik',
  files({ id, sites, portico, upstream, headers, stripped, certificate }) {
    const gone = [...headers, ...stripped, ...(certificate === undefined ? [] : [certificate])]
    const secure = sites.some((site) => site.secure)
    return [
      {
        format: 'traefik',
        file: `/etc/traefik/dynamic/${id}.yaml`,
        text: `# ${id}: every call is put to Portico before it reaches the API
http:
  routers:
    ${id}:
      rule: "${unique(sites.map(({ name }) => `Host(\`${name}\`)`)).join(' || ')}"
      entryPoints: [${secure ? 'websecure' : 'web'}]
${secure ? '      tls: {}\n' : ''}      middlewares: [${id}-strip, ${id}-portico]
      service: ${id}
  middlewares:
    # what a client says about itself is taken away before anybody is asked
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
`,
      },
    ]
  },
}
