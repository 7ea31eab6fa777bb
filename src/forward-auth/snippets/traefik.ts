/** Traefik, version 3: a dynamic configuration for its file provider. */
import { type ProxySnippet, unique } from '../snippet.ts'

export const traefik: ProxySnippet = {
  name: 'traefik',
  files({ app: { id }, sites, gateway, upstream, headers, stripped, query }) {
    const rule = unique(sites.map(({ name }) => `Host(\`${name}\`)`)).join(' || ')
    const secure = sites.some((site) => site.secure)
    return [
      {
        format: 'traefik',
        file: `/etc/traefik/dynamic/${id}.yaml`,
        text: `# ${id}: every request is put to Portico before it reaches the app
http:
  routers:
    ${id}:
      rule: "${rule}"
      entryPoints: [${secure ? 'websecure' : 'web'}]
${secure ? '      tls: {}\n' : ''}      middlewares: [${id}-strip, ${id}-portico]
      service: ${id}
  middlewares:
    # what a client says about itself is taken away before anybody is asked
    ${id}-strip:
      headers:
        customRequestHeaders:
${[...headers, ...stripped].map((name) => `          ${name}: ""`).join('\n')}
    ${id}-portico:
      forwardAuth:
        address: http://${gateway}/authz/forward${query}
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
