/**
 * The kit of a partner works as it is written: on a machine that has nothing of ours, by the lines of its README, with what
 * Debian has of curl, Python and Node.
 */
import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { allVerbs, runCommand } from '#cli'
import { makeAuthority, makeServerCertificate } from '../support/certificates.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Registry, startRegistry } from '../support/npm-registry.ts'
import { contractOf, type Signing, signingKey } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'

const VERBS = await allVerbs()
const run = promisify(execFile)
const audience = (id: string) => `https://api.kestrel.example/${id}`
const folder = mkdtempSync(join(tmpdir(), 'portico-kit-'))
const machines = join(folder, 'machines')
/** Authorities, and what the gateway shows. */
const certificates = join(folder, 'certificates')

let gateway: Gateway
let registry: Registry
let platform: Server
let platformKey: Signing
let port: number

beforeAll(async () => {
  for (const name of [machines, certificates]) mkdirSync(name)
  await makeServerCertificate(certificates, 'DNS:localhost')
  await makeAuthority(certificates, 'partners')
  registry = await startRegistry(['openid-client', 'oauth4webapi', 'jose'])
  port = await freePort()
  gateway = await startGateway({
    policies: { ...POLICIES, 'm.yaml': 'policy: machines\nrules:\n  - { name: all, allow: {} }\n' },
    settings: {
      client_certificates: {
        ...{ listen: `127.0.0.1:${port}`, url: `https://localhost:${port}` },
        ...{ cert_file: join(certificates, 'server.pem'), key_file: join(certificates, 'server.key') },
        ca_file: join(certificates, 'partners.pem'),
      },
    },
  })
  const api = (id: string, more: object = {}) => ({
    file: `${id}.yaml`,
    text: JSON.stringify({
      ...{ api: id, name: `The ${id}`, audience: audience(id), policy: 'machines' },
      scopes: { [`${id}:read`]: { en: `Read ${id}`, nl: 'Lezen' } },
      ...more,
    }),
  })
  const { problems } = await gateway.server.house.apis.apply(
    [
      api('orders'),
      api('stock', { token: { format: 'opaque' } }),
      api('keyed', { sender_constraint: 'dpop' }),
      api('certified', { sender_constraint: 'mtls', token: { alg: 'EdDSA' } }),
      api('either', { sender_constraint: 'either' }),
    ],
    { by: 'test' },
  )
  expect(problems).toEqual([])
  platformKey = await signingKey('platform')
  platform = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [platformKey.jwk] }))
  })
  await new Promise<void>((done) => platform.listen(0, '127.0.0.1', done))
})
afterAll(async () => {
  await gateway?.close()
  await registry?.close()
  platform?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function apply(id: string, authentication: object, api = 'orders') {
  const more = { authentication, apis: { [api]: [`${api}:read`] }, quota: { tokens: '100/1m' }, expires: '2099-12-31' }
  const applied = await gateway.server.house.catalog.partners.apply([contractOf(id, more)], { by: 'test' })
  expect(applied.problems).toEqual([])
  return applied.changes[0]!.clientSecret
}
async function kit(id: string, place = join(folder, 'sent', id)): Promise<{ code: number; said: string }> {
  const said: string[] = []
  const code = await runCommand({
    words: ['partners', 'kit', id, '--out', place, '--config', `${gateway.folder}/portico.yaml`],
    verbs: VERBS,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => said.push(line),
    err: (line) => said.push(line),
  })
  return { code, said: said.join('\n') }
}

/** The kit is made, sent, and unpacked where nothing else is. */
async function sent(id: string): Promise<string> {
  expect(await kit(id)).toMatchObject({ code: 0 })
  const place = join(machines, id)
  cpSync(join(folder, 'sent', id), place, { recursive: true })
  return place
}
const at = (id: string, ...more: string[]) => join(machines, id, ...more)

/** One line, typed into a shell there. Not waited for in a way that would keep the gateway, which is in this process, from answering. */
function type(id: string, line: string): Promise<{ code: number | null; out: string }> {
  const ca = join(certificates, 'ca.pem')
  const child = spawn('/bin/bash', ['-c', line], {
    cwd: at(id),
    env: {
      // what is Debian's; and that this machine believes the authority of the gateway
      ...{ PATH: '/usr/bin:/bin', HOME: at(id), LANG: 'C.UTF-8' },
      ...{ CURL_CA_BUNDLE: ca, REQUESTS_CA_BUNDLE: ca, NODE_EXTRA_CA_CERTS: ca },
      ...{ npm_config_registry: registry.url, npm_config_update_notifier: 'false', npm_config_audit: 'false' },
    },
  })
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })))
}

/** What stands in the README to be typed. */
const linesOf = (id: string): string[] =>
  /```sh\n([\s\S]*?)```/
    .exec(readFileSync(at(id, 'README.md'), 'utf8'))![1]!
    .trim()
    .split('\n')

async function tryAll(id: string, scope = 'orders:read') {
  const lines = linesOf(id)
  expect(lines).toHaveLength(3)
  for (const line of lines) {
    const { code, out } = await type(id, line)
    expect([code, out], line).toEqual([
      0,
      expect.stringMatching(new RegExp(`^ok: \\w+ has a token for ${scope} `, 'm')),
    ])
  }
}
const write = async (id: string, name: string, value: string) =>
  expect(await type(id, `sed -i "s|^${name}=.*|${name}='${value}'|" settings.env`)).toMatchObject({ code: 0 })
const jwksOf = (id: string) => JSON.parse(readFileSync(at(id, 'jwks.json'), 'utf8'))
/** Before anything was sent back the contract has some key of somebody. */
const someKeys = async () => {
  const { keys } = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  return { keys: keys.slice(0, 1) }
}

test('with a key: made as the README says, sent back, and all three programs get a token', async () => {
  await apply('acme', { method: 'private_key_jwt', jwks: await someKeys() })
  await sent('acme')
  expect((await type('acme', './make-key.sh')).code).toBe(0)
  expect(Object.keys(jwksOf('acme').keys[0]).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use'])
  const early = await type('acme', './smoke.sh')
  expect([early.code, early.out]).toEqual([1, expect.stringContaining('invalid_client')])
  await apply('acme', { method: 'private_key_jwt', jwks: jwksOf('acme') })
  await tryAll('acme')
  // a second key is not made over the first one
  expect((await type('acme', './make-key.sh')).code).toBe(1)
})

test.each(['client_secret_basic', 'client_secret_post'])(
  'with a secret (%s): written into the settings',
  async (method) => {
    const id = method.replaceAll('_', '-')
    const secret = await apply(id, { method, allow_secret: 'their ERP cannot sign' })
    await sent(id)
    expect(readdirSync(at(id))).not.toContain('make-key.sh')
    await write(id, 'CLIENT_SECRET', secret!)
    await tryAll(id)
  },
)

test('opaque tokens are no different to ask for', async () => {
  const secret = await apply('reader', { method: 'client_secret_basic', allow_secret: 'so' }, 'stock')
  await sent('reader')
  await write('reader', 'CLIENT_SECRET', secret!)
  await tryAll('reader', 'stock:read')
})

test.each([
  ['as the API wants it', 'keyed', {}],
  ['as the contract says', 'orders', { dpop_bound_access_tokens: true }],
  ['to one of the two', 'either', {}],
])('with a secret and tokens bound to a key, %s', async (_, api, more) => {
  const id = `keyed-${api}`
  const secret = await apply(id, { method: 'client_secret_basic', allow_secret: 'so', ...more }, api)
  await sent(id)
  await write(id, 'CLIENT_SECRET', secret!)
  await tryAll(id, `${api}:read`)
})

test('with a key, in the profile FAPI 2.0', async () => {
  const fapi = { method: 'private_key_jwt', dpop_bound_access_tokens: true, profile: 'fapi2' }
  const { keys } = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  await apply('bank', { ...fapi, jwks: { keys: keys.filter(({ crv }: { crv: string }) => crv === 'P-256') } })
  await sent('bank')
  expect((await type('bank', './make-key.sh')).code).toBe(0)
  await apply('bank', { ...fapi, jwks: jwksOf('bank') })
  await tryAll('bank')
})

const CERTIFICATE_BOUND = { tls_client_certificate_bound_access_tokens: true }

test('with a certificate of its own, sent back', async () => {
  const method = 'self_signed_tls_client_auth'
  // a certificate of somebody, until theirs comes
  const { stdout } = await run('openssl', ['x509', '-in', join(certificates, 'ca.pem'), '-outform', 'DER'], {
    encoding: 'buffer',
  })
  const jwks = { keys: [{ ...(await someKeys()).keys[0], x5c: [stdout.toString('base64')] }] }
  await apply('lone', { method, jwks, ...CERTIFICATE_BOUND }, 'certified')
  await sent('lone')
  expect((await type('lone', './make-key.sh')).code).toBe(0)
  const early = await type('lone', './smoke.sh')
  expect([early.code, early.out]).toEqual([1, expect.stringContaining('invalid_client')])
  await apply('lone', { method, jwks: jwksOf('lone'), ...CERTIFICATE_BOUND }, 'certified')
  await tryAll('lone', 'certified:read')
})

test.each([
  ['by a name', { tls_client_auth_san_dns: 'orders.partner.example' }, {}, 'orders'],
  [
    'by its subject',
    { tls_client_auth_subject_dn: 'CN=orders,O=Partner\\, Inc.,C=NL' },
    CERTIFICATE_BOUND,
    'certified',
  ],
  ['by an address, with tokens bound to a key', { tls_client_auth_san_ip: '192.0.2.7' }, {}, 'keyed'],
])('with a certificate that an authority signs, known %s', async (_, name, more, api) => {
  const id = `signed-${api}`
  await apply(id, { method: 'tls_client_auth', ...name, ...more }, api)
  await sent(id)
  expect((await type(id, './make-key.sh')).code).toBe(0)
  const signing = ['-CA', 'partners.pem', '-CAkey', 'partners.key', '-CAcreateserial', '-copy_extensions', 'copy']
  const files = ['-in', at(id, 'request.pem'), '-out', at(id, 'certificate.pem')]
  await run('openssl', ['x509', '-req', ...signing, ...files, '-days', '2'], { cwd: certificates })
  await tryAll(id, `${api}:read`)
})

test.each([
  ['with a secret', { method: 'client_secret_basic', allow_secret: 'so' }],
  ['with a key', { method: 'private_key_jwt' }],
])('%s and tokens bound to a certificate', async (_, by) => {
  const id = `bound-${by.method.slice(0, 6)}`.replace('_', '-')
  const keyed = by.method === 'private_key_jwt'
  const secret = await apply(
    id,
    { ...by, ...(keyed ? { jwks: await someKeys() } : {}), ...CERTIFICATE_BOUND },
    'certified',
  )
  await sent(id)
  expect((await type(id, './make-key.sh')).code).toBe(0)
  if (secret) await write(id, 'CLIENT_SECRET', secret)
  if (keyed) await apply(id, { ...by, jwks: jwksOf(id), ...CERTIFICATE_BOUND }, 'certified')
  await tryAll(id, 'certified:read')
})

test('with a token of its platform in the place of a key', async () => {
  const issuer = `http://localhost:${(platform.address() as AddressInfo).port}`
  const subject = 'system:serviceaccount:shop:orders'
  await apply('cluster', {
    method: 'private_key_jwt',
    federated: [{ issuer, subject, jwks_uri: `${issuer}/keys`, reuse: true }],
  })
  await sent('cluster')
  expect(readdirSync(at('cluster'))).not.toContain('make-key.sh')
  const readme = readFileSync(at('cluster', 'README.md'), 'utf8')
  expect(readme).toContain(
    `| \`${issuer}\` | \`${subject}\` | \`${gateway.issuer}\` | as often as you like until it ends |`,
  )
  const now = Math.floor(Date.now() / 1000)
  const token = await new SignJWT({
    iss: issuer,
    sub: subject,
    aud: gateway.issuer,
    iat: now,
    exp: now + 600,
    jti: 'one',
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'platform' })
    .sign(platformKey.key)
  writeFileSync(at('cluster', 'token'), token)
  await write('cluster', 'TOKEN_FILE', 'token')
  await tryAll('cluster')
})

describe('what stands in it', () => {
  test('is the partner’s own: nothing is left open, and tools can read the security scheme', () => {
    for (const id of readdirSync(machines)) {
      const readme = readFileSync(at(id, 'README.md'), 'utf8')
      expect(readme, id).not.toMatch(/\{[a-z_]+\}|undefined/)
      expect(readFileSync(at(id, 'settings.env'), 'utf8'), id).not.toContain('undefined')
    }
    const readme = readFileSync(at('acme', 'README.md'), 'utf8')
    expect(readme).toContain(`| The orders | \`${audience('orders')}\` | \`orders:read\` |`)
    expect(readme).toContain('At most 100 tokens within 1m. The contract ends on 2099-12-31.')
    const schemes = (id: string) => parse(readFileSync(at(id, 'openapi-security.yaml'), 'utf8'))
    expect(schemes('acme')).toEqual({
      components: {
        securitySchemes: {
          gateway: {
            type: 'oauth2',
            flows: {
              clientCredentials: {
                tokenUrl: `${gateway.issuer}/oauth2/token`,
                scopes: { 'orders:read': 'Read orders' },
              },
            },
          },
        },
      },
      security: [{ gateway: ['orders:read'] }],
    })
    expect(schemes('lone')).toMatchObject({
      components: { securitySchemes: { certificate: { type: 'mutualTLS' } } },
      security: [{ gateway: ['certified:read'], certificate: [] }],
    })
  })

  test('says what a Python without Authlib lacks, and how to get it', async () => {
    // as a Python that somebody has just installed: without what Debian has added
    expect(await type('acme', 'python3 -S smoke.py')).toEqual({
      code: 1,
      out: expect.stringMatching(/^\S+ has no authlib: install Authlib and Requests \(Debian: python3-authlib/),
    })
  })

  test('is never written over what is there, and not where no program could get a token', async () => {
    expect(await kit('acme')).toEqual({ code: 2, said: expect.stringContaining('EEXIST') })
    await expect(kit('nobody')).resolves.toMatchObject({ code: 2, said: expect.stringContaining('partner-unknown') })
    await apply('unbound', { method: 'client_secret_basic', allow_secret: 'so' }, 'certified')
    expect(await kit('unbound')).toEqual({
      code: 1,
      said: expect.stringContaining('the contract lacks `tls_client_certificate_bound_access_tokens: true`'),
    })
    await apply('crossed', { method: 'client_secret_basic', allow_secret: 'so', ...CERTIFICATE_BOUND }, 'keyed')
    expect(await kit('crossed')).toEqual({ code: 1, said: expect.stringContaining('takes tokens bound to a key') })
  })
})
