/** Registrations of clients that prove more than a secret: what holds together, and what does not. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Manifest } from '#catalog'
import { openHouse } from './house.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-proof-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const made = (name: string, ca: boolean): string => {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  const use = ['-addext', `basicConstraints=critical,CA:${ca ? 'TRUE' : 'FALSE'}`]
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...ec, '-subj', `/CN=${name}`, ...use, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  return readFileSync(cert, 'utf8')
}
const CA = made('ca', true)
const LEAF = made('leaf', false)
const X5C = LEAF.replace(/-----[^-]+-----|\n/g, '')
const KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}

const registered = async (oidc: object) => {
  const house = await openHouse()
  try {
    const manifest = { id: 'm', template: 'machine', policy: 'default', oidc } as Manifest
    const issues = await house.catalog.apps.check(manifest)
    const made = issues.length === 0 ? await house.catalog.apps.register(manifest, 'test') : undefined
    return { codes: issues.map(({ code }) => code), made }
  } finally {
    await house.close()
  }
}
const TLS = { token_endpoint_auth_method: 'tls_client_auth' }
const SELF = { token_endpoint_auth_method: 'self_signed_tls_client_auth' }
const NAME = { tls_client_auth_san_dns: 'shop.example.com' }

test.each([
  ['a name in a certificate', { ...TLS, ...NAME }],
  ['a name, and an authority of its own', { ...TLS, ...NAME, tls_client_auth_ca: CA }],
  ['its own certificates', { ...SELF, jwks: { keys: [{ ...KEY, x5c: [X5C] }] } }],
  ['its own certificates behind an address', { ...SELF, jwks_uri: 'https://partner.example/keys' }],
  [
    'a key for requests beside its certificates',
    { ...SELF, require_signed_request_object: true, jwks: { keys: [KEY, { ...KEY, kid: 'b', x5c: [X5C] }] } },
  ],
  ['tokens bound to a certificate', { tls_client_certificate_bound_access_tokens: true }],
  ['tokens bound to a key', { dpop_bound_access_tokens: true }],
])('%s will do', async (_, oidc) => {
  expect((await registered(oidc)).codes).toEqual([])
})

test('who has a certificate has no secret', async () => {
  expect((await registered({ ...TLS, ...NAME })).made?.clientSecret).toBeUndefined()
})

test.each([
  ['no name', TLS, 'certificate-subject'],
  ['two names', { ...TLS, ...NAME, tls_client_auth_san_ip: '192.0.2.7' }, 'certificate-subject'],
  ['a name with a secret', NAME, 'certificate-subject'],
  ['an authority with a secret', { tls_client_auth_ca: CA }, 'certificate-subject'],
  ['a name for all below it', { ...TLS, tls_client_auth_san_dns: '.example.com' }, 'invalid'],
  ['a name with a wildcard', { ...TLS, tls_client_auth_san_dns: '*.example.com' }, 'invalid'],
  ['an authority that is none', { ...TLS, ...NAME, tls_client_auth_ca: LEAF }, 'invalid'],
  ['an authority that is text', { ...TLS, ...NAME, tls_client_auth_ca: 'x' }, 'invalid'],
  ['an authority and something else', { ...TLS, ...NAME, tls_client_auth_ca: `${CA}x` }, 'invalid'],
  ['keys without certificates', { ...SELF, jwks: { keys: [KEY] } }, 'certificate-missing'],
  [
    'one key without its certificate',
    { ...SELF, jwks: { keys: [KEY, { ...KEY, kid: 'b', x5c: [X5C] }] } },
    'certificate-missing',
  ],
  [
    'a key for requests and no certificate',
    { ...SELF, require_signed_request_object: true, jwks: { keys: [KEY] } },
    'certificate-missing',
  ],
  ['keys with something else', { ...SELF, jwks: { keys: [{ ...KEY, x5c: ['AAAA'] }] } }, 'certificate-missing'],
  ['no certificates', SELF, 'keys-missing'],
  ['keys beside a name', { ...TLS, ...NAME, jwks: { keys: [KEY] } }, 'keys-unused'],
  ['two bindings', { dpop_bound_access_tokens: true, tls_client_certificate_bound_access_tokens: true }, 'bound-twice'],
] as [string, object, string][])('%s will not do', async (_, oidc, code) => {
  expect((await registered(oidc)).codes).toContain(code)
})

const PROFILED = {
  profile: 'fapi2',
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [KEY] },
  dpop_bound_access_tokens: true,
}
const PEOPLE = { redirect_uris: ['https://bank.example/cb'], scopes: ['openid'], grant_types: ['authorization_code'] }

test.each([
  ['the security profile with keys and DPoP', PROFILED],
  [
    'the security profile with certificates',
    { ...TLS, ...NAME, profile: 'fapi2', tls_client_certificate_bound_access_tokens: true },
  ],
  ['message signing', { ...PROFILED, profile: 'fapi2-message-signing' }],
  [
    'message signing with certificates, and keys for the requests',
    { ...TLS, ...NAME, profile: 'fapi2-message-signing', dpop_bound_access_tokens: true, jwks: { keys: [KEY] } },
  ],
  ['EdDSA', { ...PROFILED, id_token_signed_response_alg: 'EdDSA' }],
])('%s will do', async (_, oidc) => {
  expect((await registered(oidc)).codes).toEqual([])
})

test.each([
  ['a secret', { profile: 'fapi2', dpop_bound_access_tokens: true }, 'profile-authentication'],
  ['no binding', { ...PROFILED, dpop_bound_access_tokens: false }, 'profile-binding'],
  ['PKCE at will', { ...PROFILED, pkce: 'optional' }, 'profile-pkce'],
  [
    'another grant',
    { ...PROFILED, ...PEOPLE, redirect_uris: [], grant_types: ['urn:ietf:params:oauth:grant-type:device_code'] },
    'profile-grant',
  ],
  ['RS256', { ...PROFILED, id_token_signed_response_alg: 'RS256' }, 'profile-algorithm'],
  ['a key of another curve', { ...PROFILED, jwks: { keys: [{ ...KEY, crv: 'P-384' }] } }, 'profile-key'],
  ['a short RSA key', { ...PROFILED, jwks: { keys: [{ kty: 'RSA', e: 'AQAB', n: 'A'.repeat(171) }] } }, 'profile-key'],
  [
    'a key for RS256',
    { ...PROFILED, jwks: { keys: [{ kty: 'RSA', e: 'AQAB', n: 'x'.repeat(342), alg: 'RS256' }] } },
    'profile-key',
  ],
  [
    'an address with a scheme of its own',
    { ...PROFILED, ...PEOPLE, redirect_uris: ['com.example.app:/cb'] },
    'profile-redirect',
  ],
  ['a wildcard', { ...PROFILED, ...PEOPLE, redirect_uris: ['https://*.bank.example/cb'] }, 'address-unsafe'],
  [
    'signed requests without keys',
    { ...TLS, ...NAME, profile: 'fapi2-message-signing', dpop_bound_access_tokens: true },
    'keys-missing',
  ],
  ['a profile that nobody knows', { ...PROFILED, profile: 'fapi3' }, 'invalid'],
] as [string, object, string][])('%s does not keep to the profile', async (_, oidc, code) => {
  expect((await registered(oidc)).codes).toContain(code)
})

const TRUST = { issuer: 'https://cluster.example', subject: 'system:serviceaccount:shop:orders' }
const FEDERATED = { token_endpoint_auth_method: 'private_key_jwt', federated: [TRUST] }

test('tokens of others stand for a key', async () => {
  expect((await registered(FEDERATED)).codes).toEqual([])
  const all = { ...TRUST, audience: 'x', jwks_uri: 'https://cluster.example/keys', reuse: true }
  expect((await registered({ ...FEDERATED, federated: [TRUST, all] })).codes).toEqual([])
})

test.each([
  ['beside a secret', { federated: [TRUST] }, 'federated-beside'],
  ['beside keys', { ...FEDERATED, jwks: { keys: [KEY] } }, 'federated-beside'],
  ['with a profile', { ...FEDERATED, profile: 'fapi2', dpop_bound_access_tokens: true }, 'profile-authentication'],
  ['from nobody', { ...FEDERATED, federated: [] }, 'invalid'],
  ['without subject', { ...FEDERATED, federated: [{ issuer: TRUST.issuer }] }, 'invalid'],
  ['in plain http', { ...FEDERATED, federated: [{ ...TRUST, issuer: 'http://cluster.example' }] }, 'address-unsafe'],
  ['of any issuer', { ...FEDERATED, federated: [{ ...TRUST, issuer: 'https://*.example' }] }, 'address-unsafe'],
  [
    'with keys in plain http',
    { ...FEDERATED, federated: [{ ...TRUST, jwks_uri: 'http://cluster.example/k' }] },
    'address-unsafe',
  ],
] as [string, object, string][])('tokens of others %s will not do', async (_, oidc, code) => {
  expect((await registered(oidc)).codes).toContain(code)
})

test('what is exported and applied again changes nothing', async () => {
  const house = await openHouse()
  try {
    const manifests = [
      { ...TLS, ...NAME, tls_client_auth_ca: CA, tls_client_certificate_bound_access_tokens: true },
      { ...PROFILED, require_pushed_authorization_requests: true, require_signed_request_object: true },
      FEDERATED,
    ].map((oidc, i) => ({ id: `m${i}`, template: 'machine', policy: 'default', oidc }) as Manifest)
    for (const manifest of manifests) await house.catalog.apps.register(manifest, 'test')
    const files = (await house.catalog.apps.exportAll()).map(({ id, manifest }) => ({
      file: `${id}.yaml`,
      text: manifest,
    }))
    const { changes, problems } = await house.catalog.apps.apply(files, { by: 'test' })
    expect([problems, changes.map(({ action }) => action)]).toEqual([[], ['unchanged', 'unchanged', 'unchanged']])
  } finally {
    await house.close()
  }
})
