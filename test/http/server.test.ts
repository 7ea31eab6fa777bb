import { Agent, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { Refusal } from '#core/refusal'
import { json, type PageRequest, type Route, redirect, text } from '#http'
import { exchange, sendRaw } from '../support/raw.ts'
import { ask, serve } from './house.ts'

const echo = async (request: PageRequest) => json(Object.fromEntries(await request.form()))
const routes: Route[] = [
  { method: 'GET', path: '/', handle: () => text('home') },
  { method: 'GET', path: '/url', handle: ({ url }) => text(url.href) },
  { method: 'GET', path: '/query', handle: ({ rawQuery }) => text(rawQuery) },
  { method: 'POST', path: '/form', handle: echo },
  { method: 'POST', path: '/json', handle: async (request) => json(await request.json()) },
  { method: 'POST', path: '/xml', handle: async (request) => text(await request.xml()) },
  { method: 'GET', path: '/away', handle: () => redirect('/', [{ name: 'portico', value: 'x' }]) },
  { method: 'GET', path: '/refusing', handle: () => Promise.reject(new Refusal('throttled', 'not for everybody')) },
  { method: 'GET', path: '/failing', handle: () => Promise.reject(new TypeError('sam@kestrel.example')) },
]
const server = await serve({ routes })
afterAll(() => server.close())

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const post = (body: string | Buffer | readonly Buffer[], headers: Record<string, string> = FORM) =>
  ask(`${server.origin}/form`, { method: 'POST', headers, body })
const code = (answer: { body: string }) => (JSON.parse(answer.body) as { code: string }).code

test('a form is read as what was typed', async () => {
  const answer = await post('username=s%C3%A0m&password=a+b%20%26c&empty=')
  expect(JSON.parse(answer.body)).toEqual({ username: 'sàm', password: 'a b &c', empty: '' })
  expect(JSON.parse((await post('')).body)).toEqual({})
})

test('a field that comes twice is refused: two readers would see two forms', async () => {
  const answer = await post('username=sam&username=ada')
  expect([answer.status, code(answer)]).toEqual([400, 'input-invalid'])
})

test('bytes that are no UTF-8 are refused, plain and percent-encoded', async () => {
  for (const body of [
    Buffer.from([0x61, 0x3d, 0xff]),
    Buffer.from('a=%FF'),
    Buffer.from('a=%C3%28'),
    Buffer.from('a=100%'),
  ]) {
    const answer = await post(body)
    expect([answer.status, code(answer)], String(body)).toEqual([400, 'input-invalid'])
  }
  // the replacement character itself may be written by somebody
  expect(JSON.parse((await post('a=%EF%BF%BD')).body)).toEqual({ a: '\uFFFD' })
  expect(JSON.parse((await post('a=\uFFFD')).body)).toEqual({ a: '\uFFFD' })
})

test('a body that is too large is refused, whether it says its length or not', async () => {
  const large = Buffer.alloc(70_000, 'a')
  for (const body of [large, [large], [large, large, large, large]]) {
    const answer = await post(body)
    expect([answer.status, code(answer)]).toEqual([413, 'body-too-large'])
  }
  const answer = await ask(`${server.origin}/json`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `"${'a'.repeat(262_144)}"`,
  })
  expect(answer.status).toBe(413)
})

test('a form has at most 100 fields', async () => {
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i}=1`).join('&')
  expect((await post(fields(100))).status).toBe(200)
  expect((await post(fields(101))).status).toBe(400)
})

test('another content type is refused, also where a browser may send it without asking', async () => {
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json', '']) {
    const answer = await post('a=1', type ? { 'content-type': type } : {})
    expect([answer.status, code(answer)], type).toEqual([415, 'type-not-supported'])
  }
  expect((await post('a=1', { 'content-type': 'Application/X-WWW-Form-Urlencoded; charset=UTF-8' })).status).toBe(200)
})

test('what is no JSON is refused', async () => {
  for (const body of ['{', '', "{'a':1}", Buffer.from([0x22, 0xff, 0x22])]) {
    const answer = await ask(`${server.origin}/json`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect([answer.status, code(answer)], String(body)).toEqual([400, 'input-invalid'])
  }
})

test('a query is there as it was sent, too, character by character', async () => {
  const query = "a=%2f%2F+'~%27&&b=?c=%E0"
  expect((await sendRaw(server.port, { path: `/query?${query}` })).body).toBe(query)
  expect((await ask(`${server.origin}/query`)).body).toBe('')
})

test('XML is handed on as it was sent, and not read', async () => {
  const send = (body: string | Buffer, type = 'text/xml; charset="utf-8"') =>
    ask(`${server.origin}/xml`, { method: 'POST', headers: { 'content-type': type }, body })
  expect((await send('<a>é</a>\r\n')).body).toBe('<a>é</a>\r\n')
  expect((await send(Buffer.from([0xff]))).status).toBe(400)
  expect((await send('a'.repeat(262_145))).status).toBe(413)
  expect((await send('<a/>', 'application/x-www-form-urlencoded')).status).toBe(415)
})

test('nothing there is 404, a wrong method is 405 and says which are right', async () => {
  expect(code(await ask(`${server.origin}/nowhere`))).toBe('not-found')
  const answer = await ask(`${server.origin}/form`)
  expect([answer.status, answer.headers['allow'], code(answer)]).toEqual([405, 'POST', 'method-not-allowed'])
})

test('HEAD gets the headers of GET and no body', async () => {
  const answer = await ask(server.origin, { method: 'HEAD' })
  expect([answer.status, answer.headers['content-length'], answer.body]).toEqual([200, '4', ''])
})

test('an address that names another host stays an address of ours', async () => {
  for (const path of ['//evil.example/url', '/\\evil.example/url', 'http://evil.example/url', '*', '/\\\\evil.example'])
    expect([400, 404], path).toContain((await sendRaw(server.port, { path })).status)
  const answer = await sendRaw(server.port, {
    path: '/url',
    headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
  })
  expect(answer.body).toBe('http://localhost:3000/url')
})

test('what is no request at all gets a plain 4xx and nothing of the server in it', async () => {
  const answers = {
    'GET / HTTP/9.9\r\n\r\n': 400,
    'nonsense\r\n\r\n': 400,
    'POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n': 400,
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`]: 431,
    [`GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`]: 414,
  }
  for (const [bytes, status] of Object.entries(answers)) {
    const answer = await exchange(server.port, Buffer.from(bytes))
    expect([answer.status, answer.body], bytes.slice(0, 40)).toEqual([status, ''])
  }
})

test('a refusal is answered by its code; what is meant for the log stays there', async () => {
  const answer = await ask(`${server.origin}/refusing`)
  expect([answer.status, answer.body]).toEqual([429, '{"code":"throttled"}'])
})

test('a bug is 500 without detail, and the log gets the request’s id and no message of others', async () => {
  const answer = await ask(`${server.origin}/failing`)
  expect([answer.status, answer.body]).toEqual([500, '{"code":"internal"}'])
  const last = server.logged.at(-1)
  expect(last).toMatchObject({ event: 'request-failed', fields: { code: 'internal', request: expect.any(String) } })
  expect(JSON.stringify(last)).not.toContain('kestrel')
})

test('over https every answer says so, and its cookies carry the prefix', async () => {
  const secure = await serve({ routes, issuer: 'https://id.example.com' })
  try {
    const answer = await ask(`${secure.origin}/away`)
    expect(answer.headers).toMatchObject({
      'strict-transport-security': 'max-age=31536000',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'set-cookie': ['__Host-portico=x; Path=/; HttpOnly; SameSite=Lax; Secure'],
    })
  } finally {
    await secure.close()
  }
  expect((await ask(server.origin)).headers['strict-transport-security']).toBeUndefined()
})

test('a handler of the protocol gets what begins with its prefix, and nothing else', async () => {
  const seen: string[] = []
  const handle = (request: IncomingMessage, response: import('node:http').ServerResponse) => {
    seen.push(request.url!)
    response.end()
  }
  const both = await serve({
    routes,
    raw: [
      { prefix: '/oauth2/', handle },
      { prefix: '/exact', handle },
    ],
  })
  try {
    for (const path of ['/oauth2/token?x', '/exact?x', '/exact/more', '/oauth2', '/x/../oauth2/token', '/'])
      await sendRaw(both.port, { path })
    expect(seen).toEqual(['/oauth2/token?x', '/exact?x'])
  } finally {
    await both.close()
  }
})

test('a port that is taken is an error of the start, not of the first request', async () => {
  await expect(serve({ listen: `127.0.0.1:${server.port}` })).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('draining lets requests in flight finish, takes no new ones, and waits for no idle connection', async () => {
  const arrived = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const slow: Route = {
    method: 'POST',
    path: '/slow',
    async handle(request) {
      arrived.resolve()
      await go.promise
      return json(Object.fromEntries(await request.form()))
    },
  }
  const draining = await serve({ routes: [...routes, slow] })
  const agent = new Agent({ keepAlive: true })
  try {
    // one connection that is idle, one with a request in flight, both kept alive by the client
    await ask(`${draining.origin}/`, { agent })
    const idle = connect(draining.port, '127.0.0.1')
    await new Promise<void>((resolve) => idle.once('connect', resolve))
    const idleClosed = new Promise<void>((resolve) => idle.once('close', () => resolve()))
    const answer = ask(`${draining.origin}/slow`, { method: 'POST', headers: FORM, body: 'a=1', agent })
    await arrived.promise
    const patience = 20_000
    const started = performance.now()
    const closed = draining.close(patience)
    await expect(ask(draining.origin)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    go.resolve()
    expect(JSON.parse((await answer).body)).toEqual({ a: '1' })
    await closed
    await idleClosed
    expect(performance.now() - started).toBeLessThan(patience / 2)
  } finally {
    agent.destroy()
  }
})

test('who never finishes is cut off when patience is over', async () => {
  const arrived = Promise.withResolvers<void>()
  const endless: Route = {
    method: 'GET',
    path: '/endless',
    handle: () => {
      arrived.resolve()
      return new Promise(() => {})
    },
  }
  const draining = await serve({ routes: [endless] })
  const answer = ask(`${draining.origin}/endless`).catch((error: Error) => error)
  await arrived.promise
  await draining.close(50)
  expect(await answer).toBeInstanceOf(Error)
})
