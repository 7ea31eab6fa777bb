/** Clients that come with a certificate (RFC 8705), and those that come with the wrong one, or only say that they do. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority, makeClientCertificate, makeServerCertificate } from '../support/certificates.ts'
import { certifiedJwk, clientCert, escapedCert, post, thumbprint } from '../support/certified.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { athOf, ecKeys, proof } from '../support/proofs.ts'
import { sendRaw } from '../support/raw.ts'

const DAY = 86_400_000
const CREDENTIALS = { grant_type: 'client_credentials' }

let folder: string
let gateway: Gateway
let port: number
let late = 0
const at = () => ({ folder, port, host: `mtls.localhost:${port}` })

const machine = (id: string, oidc: object) => ({
  id,
  template: 'machine',
  policy: 'certified',
  oidc: { token_endpoint_auth_method: 'tls_client_auth', ...oidc },
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-mtls-'))
  await makeServerCertificate(folder, 'DNS:localhost')
  await Promise.all([makeAuthority(folder, 'partners'), makeAuthority(folder, 'others')])
  const authority = 'partners'
  await makeClientCertificate(folder, 'shop', {
    authority,
    subject: '/C=NL/O=Kestrel, Partners/CN=shop',
    names: 'DNS:shop.example.com,URI:spiffe://kestrel.example/shop,IP:192.0.2.7,email:shop@kestrel.example',
  })
  await makeClientCertificate(folder, 'stall', { authority, names: 'DNS:stall.example.com,DNS:*.example.com' })
  await makeClientCertificate(folder, 'stranger', { authority: 'others', names: 'DNS:shop.example.com' })
  await makeClientCertificate(folder, 'lone', { names: 'DNS:shop.example.com' })
  await makeClientCertificate(folder, 'server-only', {
    authority,
    names: 'DNS:shop.example.com',
    extensions: ['extendedKeyUsage=serverAuth'],
  })
  // signed by a client of the authority, as if that were one
  await makeClientCertificate(folder, 'below', { authority: 'stall', names: 'DNS:shop.example.com' })
  // an authority of the thief that only bears the name of ours
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  await makeAuthority(elsewhere, 'partners')
  await makeClientCertificate(elsewhere, 'forged', { authority, names: 'DNS:shop.example.com', unlinked: true })
  for (const kind of ['pem', 'key']) copyFileSync(join(elsewhere, `forged.${kind}`), join(folder, `forged.${kind}`))
  await makeClientCertificate(folder, 'self')
  await makeClientCertificate(folder, 'self-too')
  port = await freePort()
  const ca = readFileSync(join(folder, 'others.pem'), 'utf8')
  const self = { token_endpoint_auth_method: 'self_signed_tls_client_auth' }
  gateway = await startGateway({
    clock: { now: () => Date.now() + late },
    policies: {
      ...POLICIES,
      'certified.yaml':
        'policy: certified\nrules:\n  - { name: certified, when: { client.authentication: [tls_client_auth, self_signed_tls_client_auth, client_secret_basic] }, allow: {} }\n',
    },
    settings: {
      client_certificates: {
        ...{ listen: `127.0.0.1:${port}`, url: `https://mtls.localhost:${port}` },
        ...{ cert_file: join(folder, 'server.pem'), key_file: join(folder, 'server.key') },
        ca_file: join(folder, 'partners.pem'),
      },
    },
    apps: [
      machine('by-dns', { tls_client_auth_san_dns: 'shop.example.com' }),
      machine('both', { tls_client_auth_san_dns: 'shop.example.com', dpop_bound_access_tokens: true }),
      machine('by-uri', { tls_client_auth_san_uri: 'spiffe://kestrel.example/shop' }),
      machine('by-ip', { tls_client_auth_san_ip: '192.0.2.7' }),
      machine('by-mail', { tls_client_auth_san_email: 'shop@kestrel.example' }),
      machine('by-name', { tls_client_auth_subject_dn: 'CN=shop,O=Kestrel\\, Partners,C=NL' }),
      machine('own-ca', { tls_client_auth_san_dns: 'shop.example.com', tls_client_auth_ca: ca }),
      machine('self', { ...self, jwks: { keys: [certifiedJwk(folder, 'self')] } }),
      machine('bound', {
        token_endpoint_auth_method: 'client_secret_basic',
        tls_client_certificate_bound_access_tokens: true,
      }),
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  rmSync(folder, { recursive: true, force: true })
})

const ask = (id: string, certificate: string | undefined) =>
  post(at(), certificate, '/oauth2/token', { ...CREDENTIALS, client_id: id })

describe('at the listener that asks for certificates', () => {
  test.each(['by-dns', 'by-uri', 'by-ip', 'by-mail', 'by-name'])(
    'the registered certificate is enough: %s',
    async (id) => {
      expect((await ask(id, 'shop')).status).toBe(200)
    },
  )

  test('an app has an authority of its own, and then no other', async () => {
    expect((await ask('own-ca', 'stranger')).status).toBe(200)
    expect((await ask('own-ca', 'shop')).status).toBe(401)
  })

  test('a self-signed certificate is known by its registration', async () => {
    expect((await ask('self', 'self')).status).toBe(200)
  })

  test.each([
    ['by-dns', 'stall', 'another name, and a wildcard over the right one'],
    ['by-uri', 'stall', 'no such name'],
    ['by-ip', 'stall', 'no such name'],
    ['by-mail', 'stall', 'no such name'],
    ['by-name', 'stall', 'another name'],
    ['by-dns', 'stranger', 'another authority'],
    ['by-dns', 'lone', 'no authority'],
    ['by-dns', 'below', 'signed by a client'],
    ['by-dns', 'forged', 'signed by somebody of the same name'],
    ['by-dns', 'server-only', 'not for clients'],
    ['by-dns', 'partners', 'the authority itself'],
    ['by-dns', undefined, 'none'],
    ['self', 'self-too', 'another one'],
    ['self', 'shop', 'one of an authority'],
    ['self', undefined, 'none'],
  ] as [string, string | undefined, string][])('%s is refused with %s: %s', async (id, certificate) => {
    const { status, json } = await ask(id, certificate)
    expect([status, json['error']]).toEqual([401, 'invalid_client'])
    const reference = /reference (E-[0-9A-Z-]+)/.exec(String(json['error_description']))![1]!
    expect((await gateway.server.house.diagnosis.byReference(reference))?.cause).toBe('key-not-proved')
  })

  test('a certificate whose time is over is none, and so is one whose authority has had its time', async () => {
    late = 3 * DAY
    try {
      for (const id of ['by-dns', 'self']) expect((await ask(id, id === 'self' ? 'self' : 'shop')).status).toBe(401)
    } finally {
      late = 0
    }
    late = -DAY
    try {
      expect((await ask('by-dns', 'shop')).status).toBe(401)
    } finally {
      late = 0
    }
  })

  test('a secret does not stand in for a certificate, nor the client id alone', async () => {
    const { status } = await post(at(), undefined, '/oauth2/token', {
      ...CREDENTIALS,
      client_id: 'self',
      client_secret: 'x',
    })
    expect(status).toBe(401)
  })

  test('curl gets a token with its certificate, as the documentation has it', async () => {
    const files = ['--cacert', 'ca.pem', '--cert', 'shop.pem', '--key', 'shop.key']
    const there = ['--resolve', `localhost:${port}:127.0.0.1`, `https://localhost:${port}/oauth2/token`]
    const form = ['--data', 'grant_type=client_credentials', '--data', 'client_id=by-dns']
    const { stdout } = await promisify(execFile)('curl', ['--silent', '--show-error', ...files, ...form, ...there], {
      cwd: folder,
    })
    expect(JSON.parse(stdout)).toMatchObject({ access_token: expect.any(String) })
  })

  test('nothing for browsers is there', async () => {
    for (const path of ['/oauth2/session/end', '/oauth2/auth', '/signin', '/', '/oauth2//token'])
      expect((await post(at(), 'shop', path, {})).status, path).toBe(404)
  })

  test('tokens are bound to the certificate, and worth nothing without', async () => {
    const basic = { authorization: `Basic ${btoa(`bound:${gateway.secrets.get('bound')}`)}` }
    const token = await post(at(), 'self', '/oauth2/token', CREDENTIALS, basic)
    expect(token.status).toBe(200)
    const told = await post(
      at(),
      undefined,
      '/oauth2/introspection',
      { token: String(token.json['access_token']) },
      basic,
    )
    expect(told.json['cnf']).toEqual({ 'x5t#S256': thumbprint(folder, 'self') })
    const without = await post(at(), undefined, '/oauth2/token', CREDENTIALS, basic)
    expect([without.status, without.json['error']]).toEqual([400, 'invalid_grant'])
    const plain = await sendRaw(Number(new URL(gateway.issuer).port), {
      method: 'POST',
      path: '/oauth2/token',
      headers: { ...basic, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant_type=client_credentials',
    })
    expect(plain.status).toBe(400)
  })

  test('a proof of possession is for the address where it is shown', async () => {
    const keys = ecKeys()
    const there = `https://mtls.localhost:${port}/oauth2/token`
    const info = `${gateway.issuer}/oauth2/userinfo`
    const claims = { htm: 'GET', ath: athOf('x') }
    const looked = await fetch(info, { headers: { authorization: 'DPoP x', dpop: proof(keys, info, { claims }) } })
    const nonce = looked.headers.get('dpop-nonce')
    const shown = (url: string) =>
      post(
        at(),
        'shop',
        '/oauth2/token',
        { ...CREDENTIALS, client_id: 'both' },
        { dpop: proof(keys, url, { claims: { nonce } }) },
      )
    const taken = await shown(there)
    expect([taken.status, taken.json['token_type']]).toEqual([200, 'DPoP'])
    expect((await shown(`${gateway.issuer}/oauth2/token`)).json['error']).toBe('invalid_dpop_proof')
  })

  test('the discovery document names it', async () => {
    const found = await (await fetch(`${gateway.issuer}/.well-known/openid-configuration`)).json()
    expect(found).toMatchObject({
      tls_client_certificate_bound_access_tokens: true,
      mtls_endpoint_aliases: { token_endpoint: `https://mtls.localhost:${port}/oauth2/token` },
      token_endpoint: `${gateway.issuer}/oauth2/token`,
    })
    expect(found.token_endpoint_auth_methods_supported).toEqual(
      expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
    )
  })
})

describe('from a proxy', () => {
  const through = async (settings: Record<string, unknown>, headers: Record<string, string>, id = 'by-dns') => {
    const behind = await startGateway({
      policies: POLICIES,
      settings,
      apps: [
        { ...machine('by-dns', { tls_client_auth_san_dns: 'shop.example.com' }), policy: 'plain' },
        {
          ...machine('self', {
            token_endpoint_auth_method: 'self_signed_tls_client_auth',
            jwks: { keys: [certifiedJwk(folder, 'self')] },
          }),
          policy: 'plain',
        },
      ] as never,
    })
    try {
      const response = await fetch(`${behind.issuer}/oauth2/token`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ ...CREDENTIALS, client_id: id }),
      })
      return { status: response.status, json: (await response.json()) as Record<string, unknown> }
    } finally {
      await behind.close()
    }
  }
  const believing = () => ({
    proxies: ['127.0.0.1', '::1'],
    client_certificates: { header: 'client-cert', ca_file: join(folder, 'partners.pem') },
  })

  test('its word is believed, in both spellings', async () => {
    for (const header of [clientCert(folder, 'shop'), escapedCert(folder, 'shop')])
      expect((await through(believing(), { 'client-cert': header })).status).toBe(200)
    expect((await through(believing(), { 'client-cert': clientCert(folder, 'self') }, 'self')).status).toBe(200)
  })

  test('but looked at: another authority is refused, whatever the proxy has verified', async () => {
    const { status, json } = await through(believing(), { 'client-cert': clientCert(folder, 'stranger') })
    expect([status, json['error']]).toEqual([401, 'invalid_client'])
  })

  test.each([
    ['twice', () => `${clientCert(folder, 'shop')}, ${clientCert(folder, 'shop')}`],
    ['as bare base64', () => clientCert(folder, 'shop').slice(1, -1)],
    ['as nothing', () => '::'],
    ['as anything', () => ':AAAA:'],
    ['with another one behind it', () => escapedCert(folder, 'stranger') + escapedCert(folder, 'shop')],
    ['in broken percent signs', () => `%zz${escapedCert(folder, 'shop')}`],
    ['too long', () => `:${'A'.repeat(17_000)}:`],
  ])('a header that holds it %s holds none', async (_, header) => {
    expect((await through(believing(), { 'client-cert': header() })).status).toBe(401)
  })

  test("from anybody else it is nobody's word", async () => {
    const elsewhere = { ...believing(), proxies: ['192.0.2.0/24'] }
    expect((await through(elsewhere, { 'client-cert': clientCert(folder, 'shop') })).status).toBe(401)
  })

  test('another header is none, and without the setting there is none at all', async () => {
    expect((await through(believing(), { 'x-client-cert': clientCert(folder, 'shop') })).status).toBe(401)
    const { status, json } = await through(
      { proxies: ['127.0.0.1', '::1'] },
      { 'client-cert': clientCert(folder, 'shop') },
    )
    expect([status >= 400, status < 500, json['access_token']]).toEqual([true, true, undefined])
  })

  test('the header is not believed by the listener that sees certificates itself', async () => {
    const { status } = await post(
      at(),
      undefined,
      '/oauth2/token',
      { ...CREDENTIALS, client_id: 'by-dns' },
      { 'client-cert': clientCert(folder, 'shop') },
    )
    expect(status).toBe(401)
  })
})
