/** Documents that are not what they should be, and addresses at which none may be read: the client is refused, and nothing inside is asked. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DocumentHost, startDocumentHost } from '../support/client-documents.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'

const CALLBACK = 'http://localhost:9/callback'
const PUBLIC = { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }
const settings = (hosts: string[], allow: string[]) => ({
  outbound: { allow },
  client_documents: { hosts, policy: 'default', audience: ['*'] },
})

let gateway: Gateway
let documents: DocumentHost
let inside: ReturnType<typeof createServer>
let reached = 0
beforeAll(async () => {
  documents = await startDocumentHost()
  inside = createServer((_, response) => {
    reached++
    response.end('{}')
  })
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  gateway = await startGateway({ settings: settings([documents.host], ['127.0.0.0/8']) })
})
afterAll(async () => {
  await gateway?.close()
  await documents?.close()
  inside?.close()
})
const insideAt = () => `127.0.0.1:${(inside.address() as AddressInfo).port}`

async function ask(id: string, at: Gateway = gateway, redirectUri = CALLBACK) {
  const url = new URL(`${at.issuer}/oauth2/auth`)
  const fields = { client_id: id, redirect_uri: redirectUri, response_type: 'code', scope: 'openid' }
  const pkce = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }
  for (const [name, value] of Object.entries({ ...fields, ...pkce })) url.searchParams.set(name, value)
  const answer = await fetch(url, { redirect: 'manual' })
  return { status: answer.status, location: answer.headers.get('location') ?? '' }
}
const REFUSED = { status: 400, location: '' }

test('one that is as it should be is taken: what follows is refused for what it says', async () => {
  const answer = await ask(documents.put('/good', PUBLIC))
  expect(answer).toMatchObject({ status: 303, location: expect.stringMatching(/\/signin\//) })
})

const key = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const keyed = { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'private_key_jwt' }

describe('a document', () => {
  test.each<[string, object]>([
    ['of another client', { ...PUBLIC, client_id: 'https://other.example/app' }],
    ['without a client', { ...PUBLIC, client_id: undefined }],
    ['of several clients', { ...PUBLIC, client_id: ['a'] }],
    ['with a secret', { ...PUBLIC, client_secret: 'secret' }],
    ['with the end of a secret', { ...PUBLIC, client_secret_expires_at: 0 }],
    ['of a client with a secret', { ...PUBLIC, token_endpoint_auth_method: 'client_secret_basic' }],
    ['of a client with a certificate', { ...PUBLIC, token_endpoint_auth_method: 'tls_client_auth' }],
    ['that says nothing of how it proves who it is', { redirect_uris: [CALLBACK] }],
    ['without redirect URIs', { ...PUBLIC, redirect_uris: [] }],
    ['with one of somebody else', { ...PUBLIC, redirect_uris: [CALLBACK, 'https://evil.example/cb'] }],
    ['with one of a host that looks alike', { ...PUBLIC, redirect_uris: ['http://127.0.0.1.evil.example/cb'] }],
    ['with a user name before the host', { ...PUBLIC, redirect_uris: ['http://localhost@evil.example/cb'] }],
    ['with a scheme of its own', { ...PUBLIC, redirect_uris: ['com.example.app:/cb'] }],
    ['with a script', { ...PUBLIC, redirect_uris: ['javascript:alert(1)'] }],
    ['with a fragment', { ...PUBLIC, redirect_uris: [`${CALLBACK}#a`] }],
    ['with a wildcard', { ...PUBLIC, redirect_uris: ['http://localhost:9/*'] }],
    [
      'with a way back from signing out to somebody else',
      { ...PUBLIC, post_logout_redirect_uris: ['https://evil.example/'] },
    ],
    ['with a grant for programs', { ...PUBLIC, grant_types: ['client_credentials'] }],
    ['with a grant that is not taken', { ...PUBLIC, grant_types: ['authorization_code', 'implicit'] }],
    ['with another response type', { ...PUBLIC, response_types: ['token'] }],
    ['with a name of two lines', { ...PUBLIC, client_name: 'a\nb' }],
    ['with a name that turns round', { ...PUBLIC, client_name: 'a\u202eb' }],
    ['with a name that is no text', { ...PUBLIC, client_name: { en: 'a' } }],
    ['with keys elsewhere', { ...keyed, jwks_uri: 'https://evil.example/keys' }],
    ['with keys inside', { ...keyed, jwks_uri: 'http://169.254.169.254/keys' }],
    ['with a private key', { ...keyed, jwks: { keys: [{ ...key, d: 'x' }] } }],
    ['without the keys that it needs', keyed],
    ['with keys that it does not need', { ...PUBLIC, jwks: { keys: [key] } }],
    ['with many redirect URIs', { ...PUBLIC, redirect_uris: Array(21).fill(CALLBACK) }],
  ])('%s is none', async (name, document) => {
    const answer = await ask(documents.put(`/${name.replaceAll(' ', '-')}`, document))
    expect(answer).toEqual(REFUSED)
  })

  const as =
    (type: string, body: string, status = 200) =>
    (response: ServerResponse) =>
      void response.writeHead(status, { 'content-type': type }).end(body)
  const goodAs = (type: string) => (response: ServerResponse) =>
    as(type, JSON.stringify({ client_id: `http://${documents.host}${response.req.url}`, ...PUBLIC }))(response)
  test.each<[string, (response: ServerResponse) => void]>([
    ['html', goodAs('text/html')],
    ['plain', goodAs('text/plain; application/json')],
    ['broken', as('application/json', '{"client_id":')],
    ['list', as('application/json', '[]')],
    ['null', as('application/json', 'null')],
    ['text', as('application/json', '"x"')],
    ['huge', as('application/json', `{"a":"${'x'.repeat(20_000)}"}`)],
    [
      'endless',
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).write(' '.repeat(70_000)),
    ],
    ['deep', as('application/json', '['.repeat(8000))],
    ['error', as('application/json', '{}', 500)],
    ['none', as('application/json', '{}', 204)],
    ['torn', (response) => void response.destroy()],
    ['moved', (response) => void response.writeHead(302, { location: `http://${insideAt()}/x` }).end()],
    ['moved-here', (response) => void response.writeHead(307, { location: '/good' }).end()],
  ])('that comes as %s is none', async (path, answer) => {
    expect(await ask(documents.put(`/as-${path}`, answer))).toEqual(REFUSED)
    expect(reached).toBe(0)
  })

  test('that was refused is not asked for again at once, however often somebody names it', async () => {
    const id = `http://${documents.host}/nothing`
    await Promise.all(Array.from({ length: 20 }, () => ask(id)))
    await ask(id)
    expect(documents.asked.filter((path) => path === '/nothing')).toHaveLength(1)
  })
})

describe('an address', () => {
  test.each<[string, () => string]>([
    ['of a host that is not allowed', () => `http://${insideAt()}/app`],
    ['of the same host at another port', () => `http://127.0.0.1:1/app`],
    ['that needs no name', () => 'http://169.254.169.254/latest/meta-data'],
    ['with a user name', () => `http://a@${documents.host}/good`],
    ['with a host behind a user name', () => `http://${documents.host}@${insideAt()}/good`],
    ['with a fragment', () => `http://${documents.host}/good#a`],
    ['with a query', () => `http://${documents.host}/good?a`],
    ['without a path', () => `http://${documents.host}/`],
    ['with dots', () => `http://${documents.host}/a/../good`],
    ['with encoded dots', () => `http://${documents.host}/a/%2e%2e/good`],
    ['with a backslash', () => `http://${documents.host}\\good`],
    ['in other letters', () => `HTTP://${documents.host}/good`],
    ['with a blank', () => ` http://${documents.host}/good`],
    ['of a file', () => 'file:///etc/passwd'],
    ['of data', () => 'data:application/json,{}'],
    ['by plain http on a host that is not this machine', () => 'http://apps.example/good'],
    ['that is long', () => `http://${documents.host}/${'a'.repeat(300)}`],
    ['that is very long', () => `http://${documents.host}/${'a'.repeat(5000)}`],
  ])('%s is asked for nothing', async (_, id) => {
    const before = documents.asked.length
    expect(await ask(id())).toEqual(REFUSED)
    expect([documents.asked.length - before, reached]).toEqual([0, 0])
  })

  test('inside is not reached although its host is allowed, where the network is not', async () => {
    const closed = await startGateway({ settings: settings([insideAt(), documents.host], []) })
    expect(await ask(documents.put('/good', PUBLIC), closed)).toEqual(REFUSED)
    expect(await ask(`http://${insideAt()}/app`, closed)).toEqual(REFUSED)
    expect(reached).toBe(0)
    expect(closed.log()).toContain('outbound-refused')
    await closed.close()
  })
})

test('what a client did not name is no place to send a code to', async () => {
  const id = documents.put('/good', PUBLIC)
  for (const uri of [
    'http://localhost:9/callback/',
    'http://localhost:10/callback',
    'https://evil.example/',
    CALLBACK.toUpperCase(),
  ])
    expect(await ask(id, gateway, uri), uri).toEqual(REFUSED)
})

test('at the endpoints of programs the answer is in the words of the protocol', async () => {
  const client_id = documents.put('/no', { ...PUBLIC, client_secret: 'x' })
  for (const path of ['token', 'request', 'introspection', 'revocation']) {
    const body = new URLSearchParams({ client_id, grant_type: 'authorization_code', code: 'x', token: 'x' })
    const answer = await fetch(`${gateway.issuer}/oauth2/${path}`, { method: 'POST', body })
    expect([path, answer.status, await answer.json()]).toMatchObject([path, 401, { error: 'invalid_client' }])
  }
})
