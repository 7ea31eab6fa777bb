/** What every proxy dialect holds, on request shapes as the proxies' own documentation has them. */
import { describe, expect, test } from 'vitest'
import type { Dialect, Reply } from '../../src/forward-auth/dialect.ts'
import { DIALECTS } from '../../src/forward-auth/dialects/list.ts'
import { readHeaders } from '../../src/http/proxied/headers.ts'
import { targetOf } from '../../src/http/proxied/target.ts'

interface Shape {
  readonly by: string
  readonly method: string
  readonly url: string
  readonly rawHeaders: readonly string[]
}

const FORWARDED = [
  'X-Forwarded-For',
  '203.0.113.7',
  'X-Forwarded-Host',
  'wiki.example.com',
  'X-Forwarded-Method',
  'POST',
  'X-Forwarded-Proto',
  'https',
  'X-Forwarded-Uri',
  '/a/b?c=%20d',
]

/** All of them: a POST to https://wiki.example.com/a/b?c=%20d. */
const SHAPES: Readonly<Record<Dialect['name'], readonly Shape[]>> = {
  forward: [
    {
      by: 'Traefik, ForwardAuth: a GET without body, with what the client sent and the request in X-Forwarded-*',
      method: 'GET',
      url: '/authz/forward',
      rawHeaders: [
        'Host',
        '127.0.0.1:3000',
        'User-Agent',
        'x',
        'Cookie',
        'a=b',
        ...FORWARDED,
        'X-Forwarded-Port',
        '443',
        'X-Forwarded-Server',
        'edge',
        'X-Real-Ip',
        '203.0.113.7',
        'Accept-Encoding',
        'gzip',
      ],
    },
    {
      by: 'Traefik for a WebSocket, whose scheme it calls wss',
      method: 'GET',
      url: '/authz/forward',
      rawHeaders: [
        'Host',
        '127.0.0.1:3000',
        ...FORWARDED.map((value) => (value === 'https' ? 'wss' : value)),
        'Upgrade',
        'websocket',
        'Sec-Websocket-Key',
        'x',
      ],
    },
    {
      by: 'Caddy, forward_auth: a GET to its `uri`, with X-Forwarded-Method and X-Forwarded-Uri',
      method: 'GET',
      url: '/authz/forward',
      rawHeaders: ['Host', 'wiki.example.com', 'User-Agent', 'x', ...FORWARDED],
    },
  ],
  nginx: [
    {
      by: 'nginx, auth_request: a GET with the headers that the location sets',
      method: 'GET',
      url: '/authz/nginx',
      rawHeaders: [
        'X-Original-URL',
        'https://wiki.example.com/a/b?c=%20d',
        'X-Original-Method',
        'POST',
        'X-Forwarded-For',
        '203.0.113.7',
        'Host',
        '127.0.0.1:3000',
        'Connection',
        'close',
      ],
    },
  ],
  envoy: [
    {
      by: 'Envoy, ext_authz: the method and the host of the request, its path behind the prefix, no body',
      method: 'POST',
      url: '/authz/envoy/a/b?c=%20d',
      rawHeaders: [
        'Host',
        'wiki.example.com',
        'Content-Length',
        '0',
        'x-forwarded-proto',
        'https',
        'x-forwarded-for',
        '203.0.113.7',
        'x-envoy-internal',
        'true',
      ],
    },
  ],
}

const headersOf = (rawHeaders: readonly string[]) =>
  Object.fromEntries(rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]!]] : [])))
const read = (dialect: Dialect, { method, url, rawHeaders }: Shape) =>
  targetOf(dialect.read({ method, url }, readHeaders({ rawHeaders: [...rawHeaders], headers: headersOf(rawHeaders) })))

describe.each(DIALECTS)('$name', (dialect) => {
  test.each(SHAPES[dialect.name])('reads what was asked for: $by', (shape) => {
    expect(read(dialect, shape)).toEqual({
      method: 'POST',
      secure: true,
      host: 'wiki.example.com',
      origin: 'https://wiki.example.com',
      uri: '/a/b?c=%20d',
      path: '/a/b',
      query: 'c=%20d',
    })
  })

  const shape = SHAPES[dialect.name][0]!
  const said = shape.rawHeaders.filter(
    (name, i) => i % 2 === 0 && /^x-(?:original|forwarded-(?!for|port|server))|^host$/i.test(name),
  )
  const needed = said.filter((name) => dialect.name === 'envoy' || name !== 'Host')

  test.each(needed)('refuses a question without %s, with two of them, and with one in another spelling', (name) => {
    const at = shape.rawHeaders.indexOf(name)
    const without = { ...shape, rawHeaders: shape.rawHeaders.toSpliced(at, 2) }
    const twice = { ...shape, rawHeaders: [...shape.rawHeaders, name.toLowerCase(), shape.rawHeaders[at + 1]!] }
    const twin = { ...shape, rawHeaders: [...shape.rawHeaders, name.replace('-', '_'), 'x'] }
    expect(() => read(dialect, without)).toThrow('request-refused')
    expect(() => read(dialect, twice)).toThrow('request-refused')
    if (name.includes('-')) expect(() => read(dialect, twin)).toThrow('request-refused')
  })

  test('lets nothing pass that we did not, and hides nothing that closes', () => {
    const reply = (status: number, headers: Reply['headers'] = {}): Reply => ({ status, headers })
    expect(dialect.write(reply(200, { 'Remote-User': 'sam' }))).toMatchObject({
      status: 200,
      headers: { 'Remote-User': 'sam' },
    })
    for (const status of [302, 303, 400, 401, 403, 404, 405, 429, 500, 503])
      expect(dialect.write(reply(status)).status, `${status}`).toBeGreaterThanOrEqual(300)
    const away = dialect.write(reply(302, { location: 'https://id.example.com/', 'set-cookie': ['a=b'] }))
    expect(Object.values(away.headers)).toContain('https://id.example.com/')
    expect(away.headers['set-cookie']).toEqual(['a=b'])
    if (dialect.name === 'nginx') {
      // anything else would be a 500
      const statuses = [302, 400, 401, 403, 404, 429].map(
        (status) => dialect.write(reply(status, { location: '/' })).status,
      )
      expect(new Set(statuses)).toEqual(new Set([401, 403]))
    }
  })
})
