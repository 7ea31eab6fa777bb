/** What an operator reads of a provider that cannot be asked: real servers, each with something else that is wrong. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createTls } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOutbound } from '#http'
import { troubleOf } from '../../src/directory/federation/trouble.ts'
import { makeServerCertificate } from '../support/certificates.ts'

let folder: string
let silent: Server
let sealed: Server
const listening = async (server: Server): Promise<Server> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
const portOf = (server: Server) => (server.address() as AddressInfo).port

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portico-trouble-'))
  await makeServerCertificate(folder, 'IP:127.0.0.1')
  const [key, cert] = await Promise.all(['server.key', 'server.pem'].map((name) => readFile(join(folder, name))))
  silent = await listening(createServer((socket) => socket.on('error', () => {})))
  sealed = await listening(createTls({ key: key!, cert: cert! }, (_, response) => response.end()))
})
afterAll(async () => {
  silent.close()
  sealed.close()
  await rm(folder, { recursive: true, force: true })
})

const LOOK = 'look at the settings'
/** As libraries do it. */
const wrapped = (cause: unknown) =>
  new Error('something went wrong', { cause: new TypeError('fetch failed', { cause }) })

test.each<[string, () => string, RegExp, RegExp]>([
  ['nothing listens', () => 'http://127.0.0.1:1/', /ECONNREFUSED/, /is the provider running/],
  ['its address is inside', () => 'http://10.0.0.1/', /special-use network/, /outbound\.allow/],
  ['its name leads inside', () => 'http://localhost:1/', /refused/, /outbound\.allow/],
  ['it says nothing', () => `http://127.0.0.1:${portOf(silent)}/`, /timeout/, /`timeout` gives it longer/],
  ['nobody known signed its certificate', () => `https://127.0.0.1:${portOf(sealed)}/`, /certificate/, /NODE_EXTRA_CA/],
])('%s: what went wrong and what to do, whatever a library made of it', async (_what, url, say, fix) => {
  const outbound = createOutbound(url().includes('localhost') ? [] : ['127.0.0.1'])
  const error = await outbound(url(), { timeout: 300 }).catch((one: unknown) => one)
  for (const one of [error, wrapped(error)]) {
    const told = troubleOf(one, LOOK)
    expect(told.say).toMatch(say)
    expect(told.fix).toMatch(fix)
  }
})

test('what is none of these is told in its own words, with where to look', () => {
  expect(troubleOf(new Error('status 404'), LOOK)).toEqual({ say: 'status 404', fix: LOOK })
  expect(troubleOf(wrapped(new Error('another issuer')), LOOK)).toEqual({ say: 'another issuer', fix: LOOK })
  expect(troubleOf('x', LOOK)).toEqual({ say: 'it cannot be asked', fix: LOOK })
  const round = new Error('round')
  round.cause = round
  expect(troubleOf(round, LOOK)).toEqual({ say: 'round', fix: LOOK })
  // a code is a word of the table, and nothing that every object has
  expect(troubleOf(Object.assign(new Error('x'), { code: 'constructor' }), LOOK).fix).toBe(LOOK)
})
