/**
 * What `apis snippet` prints: those of nginx and Caddy are run (`flow/api-gateway.test.ts`). Of gateways that Debian does not have,
 * what is printed is held against what their documentation and sources say that there is.
 */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { SNIPPETS, snippetValues } from '#api-access/gateway-files'

const gateway = { hosts: ['api.kestrel.example', '127.0.0.1:8080'], upstream: 'http://10.0.0.5:8081' }
const values = snippetValues({ id: 'orders', audience: 'https://api.kestrel.example/orders', gateway } as never, {
  listen: '0.0.0.0:3000',
})
const TOLD = ['X-Portico-Client', 'X-Portico-Subject', 'X-Portico-Scope', 'X-Portico-Authorization-Details']

describe.each(SNIPPETS.map((snippet) => [snippet.name, snippet] as const))('%s', (name, snippet) => {
  const files = snippet.files(values)
  const text = files.map((file) => file.text).join('\n')

  test('asks about this API, on this machine where no address was given', () => {
    expect(text).toContain(name === 'envoy' ? '/authz/api/orders' : '/authz/api?api=orders')
    expect(text).toMatch(name === 'envoy' ? /http:\/\/127\.0\.0\.1:3000/ : /127\.0\.0\.1:3000/)
  })

  test('names every header that the API is told', () => {
    for (const header of TOLD) expect(text.toLowerCase(), header).toContain(header.toLowerCase())
  })

  test('holds no value that was not filled in', () => {
    expect(text).not.toMatch(/undefined|\[object|\$\{/)
  })
})

test('the file of Kong is YAML, drops what the client says of itself, and closes where nobody answers', () => {
  const [file] = SNIPPETS.find(({ name }) => name === 'kong')!.files(values)
  const { services } = parse(file!.text)
  expect(services).toMatchObject([
    { url: 'http://10.0.0.5:8081', routes: [{ hosts: ['api.kestrel.example', '127.0.0.1'] }] },
  ])
  const [lua] = services[0].plugins[0].config.access as string[]
  expect(lua).toContain('kong.service.request.clear_header(name)\n  if value then')
  expect(lua).toContain('if not answer then\n  return kong.response.exit(503')
  // each block that is opened is closed
  const count = (pattern: RegExp) => lua!.match(pattern)?.length ?? 0
  expect(count(/\b(?:then|do)\b/g)).toBe(count(/\bend\b/g))
})

test('the policies of Apigee are XML by their names, and what is told replaces what was sent', () => {
  const files = SNIPPETS.find(({ name }) => name === 'apigee')!.files(values)
  expect(files.map(({ file }) => file.replace(/^.*\//, ''))).toEqual([
    ...['Portico-Question.xml', 'Portico-Ask.xml', 'Portico-Refuse.xml', 'Portico-Tell.xml'],
  ])
  for (const { text } of files) {
    const opened = [...text.matchAll(/<([A-Za-z]+)(?=[\s>])[^>]*?(\/?)>/g)].filter(([, , alone]) => alone === '')
    const closed = [...text.matchAll(/<\/([A-Za-z]+)>/g)]
    expect(opened.map(([, tag]) => tag).sort()).toEqual(closed.map(([, tag]) => tag).sort())
  }
  const tell = files[3]!.text
  expect(tell.indexOf('<Remove>')).toBeLessThan(tell.indexOf('<Set>'))
})

/** The names of a mapping that are not among those. */
const others = (of: object, ...known: string[]) => Object.keys(of).filter((key) => !known.includes(key))

// envoyproxy/envoy, api/envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto
test('the filter of Envoy has fields that it knows and does not call deprecated, and what is asked for is what we look at', () => {
  const [filter, clusters] = SNIPPETS.find(({ name }) => name === 'envoy')!.files(values)
  const [authz] = parse(filter!.text).http_filters
  expect(authz.name).toBe('envoy.filters.http.ext_authz')
  const { '@type': type, ...config } = authz.typed_config
  expect(type).toBe('type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz')
  expect(others(config, 'http_service', 'failure_mode_allow', 'allowed_headers', 'status_on_error')).toEqual([])
  expect(config.failure_mode_allow).toBe(false)
  const { http_service: service } = config
  expect(others(service, 'server_uri', 'path_prefix', 'authorization_response')).toEqual([])
  expect(others(service.server_uri, 'uri', 'cluster', 'timeout')).toEqual([])
  expect(others(service.authorization_response, 'allowed_upstream_headers', 'allowed_client_headers')).toEqual([])
  const asked: string[] = config.allowed_headers.patterns.map(({ exact }: { exact: string }) => exact)
  expect(asked).toEqual(expect.arrayContaining(['authorization', 'dpop', 'x-forwarded-for', 'x-forwarded-proto']))
  // nobody but we says who somebody is
  expect(asked.filter((name) => /^(?:x-portico-|client-cert$)/.test(name))).toEqual([])
  expect(parse(clusters!.text).clusters.map(({ name }: { name: string }) => name)).toContain(service.server_uri.cluster)
})

// doc.traefik.io, forwardAuth and headers of version 3; traefik/traefik, pkg/middlewares/auth/forward.go: every header goes along
test('the middlewares of Traefik have options that it knows, in an order in which nothing of the client is asked about', () => {
  const told = snippetValues({ id: 'orders', audience: 'https://api.kestrel.example/orders', gateway } as never, {
    listen: '0.0.0.0:3000',
    client_certificates: { header: 'client-cert' },
  })
  const { http } = parse(SNIPPETS.find(({ name }) => name === 'traefik')!.files(told)[0]!.text)
  expect(http.routers.orders.middlewares).toEqual(['orders-strip', 'orders-portico'])
  // what everybody may read asks nobody, and reaches us instead of the API
  expect(http.routers['orders-metadata']).toMatchObject({ middlewares: ['orders-metadata'], service: 'orders-portico' })
  const { replacePath } = http.middlewares['orders-metadata']
  expect(replacePath).toEqual({ path: '/.well-known/oauth-protected-resource/orders' })
  const { forwardAuth } = http.middlewares['orders-portico']
  expect(others(forwardAuth, 'address', 'trustForwardHeader', 'authResponseHeaders')).toEqual([])
  expect(forwardAuth.trustForwardHeader).toBe(false)
  const gone = http.middlewares['orders-strip'].headers.customRequestHeaders
  for (const name of [...TOLD, 'X-Original-URL', 'client-cert']) expect(gone[name], name).toBe('')
})

// developer.konghq.com: the plugin's phases, and the functions of the development kit
test('the program for Kong calls what Kong has', () => {
  const { services } = parse(SNIPPETS.find(({ name }) => name === 'kong')!.files(values)[0]!.text)
  const [plugin] = services[0].plugins
  expect([plugin.name, Object.keys(plugin.config)]).toEqual(['pre-function', ['access']])
  const known = [
    ...['kong.request.get_method', 'kong.request.get_scheme', 'kong.request.get_header', 'kong.request.get_headers'],
    ...['kong.request.get_path'],
    ...['kong.request.get_path_with_query', 'kong.client.get_forwarded_ip', 'kong.response.exit'],
    ...['kong.service.request.clear_header', 'kong.service.request.set_header'],
  ]
  const called = [...plugin.config.access[0].matchAll(/\bkong(?:\.\w+)+/g)].map(([name]) => name)
  expect([...new Set(called)].filter((name) => !known.includes(name))).toEqual([])
  expect([...plugin.config.access[0].matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name)).toEqual(['resty.http'])
})

// docs.cloud.google.com/apigee: AssignMessage, ServiceCallout, RaiseFault
test('the policies of Apigee have the elements that they may have, and ask about no certificate', () => {
  const may: Record<string, string[]> = {
    AssignMessage: ['AssignTo', 'Set', 'Remove', 'Verb', 'Headers', 'Header', 'IgnoreUnresolvedVariables'],
    ServiceCallout: ['Request', 'Response', 'Timeout', 'HTTPTargetConnection', 'Properties', 'Property', 'URL'],
    RaiseFault: ['FaultResponse', 'Set', 'Headers', 'Header', 'Payload', 'StatusCode', 'IgnoreUnresolvedVariables'],
  }
  for (const { file, text } of SNIPPETS.find(({ name }) => name === 'apigee')!.files(values)) {
    const [root, ...inside] = [...text.replace(/<!--[\s\S]*?-->/g, '').matchAll(/<([A-Za-z]+)/g)].map(
      ([, name]) => name!,
    )
    expect(
      inside.filter((name) => !may[root!]!.includes(name)),
      file,
    ).toEqual([])
    // only what stands there is asked about, so nothing that the client says of its certificate
    if (file.endsWith('Portico-Question.xml')) expect(text).not.toContain('client-cert')
  }
})
