/** nginx ends TLS and tells us the certificate of the client, by the lines that `docs/clients.md` gives. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeAuthority, makeClientCertificate, makeServerCertificate } from '../support/certificates.ts'
import { certifiedJwk, clientCert, escapedCert, post } from '../support/certified.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { answers, ended } from '../support/processes.ts'

const lines = /```nginx\n([\s\S]*?)```/.exec(
  readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8'),
)![1]!

let folder: string
let gateway: Gateway
let port: number
let nginx: ReturnType<typeof spawn>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-nginx-mtls-'))
  await makeServerCertificate(folder, 'DNS:localhost')
  await makeAuthority(folder, 'partners')
  await makeClientCertificate(folder, 'shop', { authority: 'partners', names: 'DNS:shop.example.com' })
  await makeClientCertificate(folder, 'self')
  gateway = await startGateway({
    policies: POLICIES,
    settings: {
      proxies: ['127.0.0.1', '::1'],
      client_certificates: { header: 'client-cert', ca_file: join(folder, 'partners.pem') },
    },
    apps: [
      ['by-dns', { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'shop.example.com' }],
      [
        'self',
        { token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks: { keys: [certifiedJwk(folder, 'self')] } },
      ],
    ].map(([id, oidc]) => ({ id, template: 'machine', policy: 'plain', oidc })) as never,
  })
  port = await freePort()
  const path = (name: string) => join(folder, name)
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${path(one)};`)
  writeFileSync(
    path('nginx.conf'),
    `daemon off; master_process off; pid ${path('pid')}; error_log ${path('error.log')};
events {}
http { access_log off; ${temp.join(' ')}
  server { listen 127.0.0.1:${port} ssl; ssl_certificate ${path('server.pem')}; ssl_certificate_key ${path('server.key')};
${lines}
    location / { proxy_pass ${gateway.issuer}; } } }
`,
  )
  nginx = spawn('/usr/sbin/nginx', ['-e', path('error.log'), '-c', path('nginx.conf')], { stdio: 'ignore' })
  if (!(await answers(port, nginx))) throw new Error(readFileSync(path('error.log'), 'utf8'))
})
afterAll(async () => {
  if (nginx) await ended(nginx)
  await gateway?.close()
  rmSync(folder, { recursive: true, force: true })
})

const ask = (id: string, certificate: string | undefined, headers: Record<string, string> = {}) =>
  post(
    { folder, port, host: 'localhost' },
    certificate,
    '/oauth2/token',
    { grant_type: 'client_credentials', client_id: id },
    headers,
  )

test('clients are known by the certificate that nginx has seen', async () => {
  expect((await ask('by-dns', 'shop')).status).toBe(200)
  expect((await ask('self', 'self')).status).toBe(200)
  expect((await ask('by-dns', 'self')).status).toBe(401)
})

test('what a client writes into the header itself does not come through', async () => {
  for (const header of [clientCert(folder, 'shop'), escapedCert(folder, 'shop')])
    for (const name of ['Client-Cert', 'client-cert', 'Client_Cert'])
      for (const certificate of [undefined, 'self'])
        expect((await ask('by-dns', certificate, { [name]: header })).status).toBe(401)
})
