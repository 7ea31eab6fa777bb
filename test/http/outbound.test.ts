import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createPlainServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Refusal } from '#core/refusal'
import { createOutbound } from '#http'
import { portOf } from './house.ts'

/** What the other server does, by path. */
const PATHS: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/plain': (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/plain', 'x-two': ['a', 'b'] }).end('hello'),
  '/echo': (request, response) => {
    response.writeHead(201, { 'x-method': request.method!, 'x-length': request.headers['content-length'] ?? 'none' })
    request.pipe(response)
  },
  '/away': (_request, response) => response.writeHead(302, { location: '/plain' }).end(),
  '/large': (_request, response) => response.end(Buffer.alloc(65_537, 'a')),
  '/fits': (_request, response) => response.end(Buffer.alloc(65_536, 'a')),
  '/endless': (_request, response) => {
    const more = () => response.write(Buffer.alloc(16_384, 'a'), () => !response.destroyed && setImmediate(more))
    more()
  },
  '/silent': () => {},
  '/half': (_request, response) => void response.write('the beginning'),
  '/cut': (_request, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('the beginning', () => response.destroy())
  },
}
const requests: string[] = []
const other = createServer((request, response) => {
  requests.push(request.url!)
  PATHS[request.url!]?.(request, response)
})
let origin = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${portOf(other)}`
})
afterAll(() => {
  other.closeAllConnections()
  other.close()
})

const outbound = createOutbound(['127.0.0.0/8', '::1'])
const strict = createOutbound([])
const refused = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'let through',
    (error: Refusal) => error.code,
  )

test('an answer comes with its status, its headers and its body', async () => {
  const { status, headers, body } = await outbound(`${origin}/plain`)
  expect({ status, body }).toEqual({ status: 200, body: 'hello' })
  expect(headers).toMatchObject({ 'content-type': 'text/plain', 'x-two': 'a, b' })
})

test('a body is sent with its length in bytes', async () => {
  const sent = await outbound(`${origin}/echo`, {
    method: 'POST',
    body: 'naïve',
    headers: { 'content-type': 'text/plain' },
  })
  expect(sent).toMatchObject({ status: 201, body: 'naïve', headers: { 'x-method': 'POST', 'x-length': '6' } })
})

test('a special-use network is refused in every spelling, without a connection', async () => {
  const before = requests.length
  const port = portOf(other)
  for (const host of [
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '0.0.0.0',
    '[::]',
    '169.254.169.254',
    '10.0.0.1',
    '192.168.0.1',
  ])
    expect(await refused(strict(`http://${host}:${port}/plain`)), host).toBe('outbound-refused')
  expect(requests.length).toBe(before)
})

test('a name that leads to a special-use network is refused after it was looked up: the address counts, not the name', async () => {
  const before = requests.length
  for (const host of ['localhost', 'LOCALHOST'])
    expect(await refused(strict(`http://${host}:${portOf(other)}/plain`)), host).toBe('outbound-refused')
  expect(requests.length).toBe(before)
  // the very same name is reached where the settings allow its network: the look-up itself works
  expect((await outbound(`http://localhost:${portOf(other)}/plain`)).status).toBe(200)
})

test('only the networks that were allowed are reached', async () => {
  const narrow = createOutbound(['127.0.0.2'])
  expect(await refused(narrow(`${origin}/plain`))).toBe('outbound-refused')
  expect(await refused(narrow(`http://localhost:${portOf(other)}/plain`))).toBe('outbound-refused')
})

test('only plain http and https addresses are fetched', async () => {
  for (const address of [
    'file:///etc/passwd',
    'ftp://example.com',
    'data:,x',
    'nonsense',
    '',
    '/relative',
    `http://user:secret@127.0.0.1:${portOf(other)}/plain`,
  ])
    expect(await refused(outbound(address)), address).toBe('outbound-refused')
})

test('a redirect is an answer like any other and is not followed', async () => {
  const before = requests.length
  expect(await outbound(`${origin}/away`)).toMatchObject({ status: 302, headers: { location: '/plain' } })
  expect(requests.slice(before)).toEqual(['/away'])
})

test('an answer that is too large is an error, not a cut text', async () => {
  expect((await outbound(`${origin}/fits`)).body).toHaveLength(65_536)
  expect(await refused(outbound(`${origin}/large`))).toBe('outbound-failed')
  expect(await refused(outbound(`${origin}/endless`))).toBe('outbound-failed')
  expect(await refused(outbound(`${origin}/plain`, { limit: 4 }))).toBe('outbound-failed')
})

test('a server that is silent, or stops in the middle, is given up when the time is over', async () => {
  for (const path of ['/silent', '/half'])
    expect(await refused(outbound(`${origin}${path}`, { timeout: 100 })), path).toBe('outbound-failed')
})

test('an answer that breaks off is an error', async () => {
  expect(await refused(outbound(`${origin}/cut`))).toBe('outbound-failed')
})

test('nobody there, no such name, and no HTTP are all the same to the caller', async () => {
  const plain = createPlainServer((socket) => {
    socket.on('error', () => {})
    socket.end('220 smtp.example.com ready\r\n')
  })
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  try {
    expect(await refused(outbound(`http://127.0.0.1:${portOf(plain)}/`))).toBe('outbound-failed')
    expect(await refused(outbound(`https://127.0.0.1:${portOf(other)}/plain`))).toBe('outbound-failed')
  } finally {
    plain.close()
  }
  expect(await refused(outbound(`http://127.0.0.1:${await freed()}/`))).toBe('outbound-failed')
  expect(await refused(outbound('http://no-such-name.invalid/'))).toBe('outbound-failed')
})

/** A port that nobody listens on any more. */
async function freed(): Promise<number> {
  const server = createPlainServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = portOf(server)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}
