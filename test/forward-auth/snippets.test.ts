/** What `apps snippet` prints for each proxy; nginx, Caddy and HAProxy run it in `test/flow/proxies.test.ts`. */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { App } from '#catalog'
import { SNIPPETS, snippetValues } from '#forward-auth/proxy-files'

const app = {
  id: 'wiki',
  forwardAuth: {
    hosts: ['wiki.example.com', 'docs.example.com:8443'],
    headers: [{ name: 'Auth-User', field: 'user' }],
    rules: [],
    upstream: 'http://10.0.0.5:8080',
  },
} as unknown as App
const printed = (name: string) => {
  const files = SNIPPETS.find((one) => one.name === name)!.files(snippetValues(app, '0.0.0.0:3000'))
  return files.map(({ text }) => text).join('\n')
}

describe.each(SNIPPETS.map(({ name }) => name))('%s', (name) => {
  test('has the real hosts, where we are, where the app is, and every header that a client must not set', () => {
    const text = printed(name)
    expect(text).toMatch(/wiki\.example\.com/)
    expect(text).toContain('127.0.0.1')
    expect(text).toMatch(/10\.0\.0\.5/)
    const wanted = ['Remote-User', 'Remote-Groups', 'Remote-Email', 'Remote-Name', 'Auth-User', 'X-Portico-Jwt']
    for (const header of wanted) expect(text.toLowerCase(), header).toContain(header.toLowerCase())
  })
})

test("Traefik's is YAML: each header is stripped before, and taken from our answer only", () => {
  const { middlewares, routers, services } = parse(printed('traefik')).http
  const headers = ['Remote-User', 'Remote-Groups', 'Remote-Email', 'Remote-Name', 'Auth-User', 'X-Portico-Jwt']
  expect(routers.wiki).toMatchObject({
    rule: 'Host(`wiki.example.com`) || Host(`docs.example.com`)',
    middlewares: ['wiki-strip', 'wiki-portico'],
    tls: {},
  })
  expect(middlewares['wiki-strip'].headers.customRequestHeaders).toEqual(
    Object.fromEntries([...headers, 'X-Original-URL', 'X-Rewrite-URL', 'HTTP2-Settings'].map((name) => [name, ''])),
  )
  expect(middlewares['wiki-portico'].forwardAuth).toEqual({
    address: 'http://127.0.0.1:3000/authz/forward?app=wiki',
    trustForwardHeader: false,
    authResponseHeaders: headers,
  })
  expect(services.wiki.loadBalancer.servers).toEqual([{ url: 'http://10.0.0.5:8080' }])
})

test("Envoy's is YAML: it closes when we do not answer, refuses twins, and sends what the question needs", () => {
  const { static_resources } = parse(printed('envoy'))
  const [first, second] = static_resources.listeners
  expect([first, second].map(({ address }) => address.socket_address.port_value)).toEqual([443, 8443])
  const manager = first.filter_chains[0].filters[0].typed_config
  expect(manager.common_http_protocol_options.headers_with_underscores_action).toBe('REJECT_REQUEST')
  const [authz, router] = manager.http_filters
  expect(router.name).toBe('envoy.filters.http.router')
  expect(authz.typed_config).toMatchObject({ failure_mode_allow: false, http_service: { path_prefix: '/authz/envoy' } })
  const names = (list: { exact: string }[]) => list.map(({ exact }) => exact)
  const { authorization_request, authorization_response } = authz.typed_config.http_service
  for (const name of ['cookie', 'x-forwarded-proto', 'x-http-method-override', 'content-type', 'sec-fetch-mode'])
    expect(names(authorization_request.allowed_headers.patterns)).toContain(name)
  expect(names(authorization_response.allowed_upstream_headers.patterns)).toEqual([
    'remote-user',
    'remote-groups',
    'remote-email',
    'remote-name',
    'auth-user',
    'x-portico-jwt',
  ])
  expect(static_resources.clusters.map(({ name }: { name: string }) => name)).toEqual(['portico', 'wiki'])
})
