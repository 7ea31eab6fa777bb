/** Certificates that an authority in between has signed (RFC 5280 §6, RFC 9440 §2.3), and those that were taken back (RFC 5280 §5). */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import {
  makeAuthority,
  makeClientCertificate,
  makeIntermediate,
  makeRevocationList,
  makeServerCertificate,
} from '../support/certificates.ts'
import { clientCert, escapedCert, post, thumbprint } from '../support/certified.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'
import { anApp, appAddress } from './people.ts'

const NAMES = 'DNS:shop.example.com'
const CA = 'basicConstraints=critical,CA:TRUE'
/** Authorities by whom they are signed, and what they say. */
const AUTHORITIES: Readonly<Record<string, [string, ...string[]]>> = {
  issuing: ['root', `${CA},pathlen:0`, 'keyUsage=critical,keyCertSign,cRLSign'],
  wide: ['root', CA],
  second: ['wide', CA],
  third: ['second', CA],
  'too-deep': ['issuing', CA],
  'for-servers': ['root', CA, 'extendedKeyUsage=serverAuth'],
  named: ['root', CA, 'nameConstraints=permitted;DNS:example.com'],
  'signs-nothing': ['root', CA, 'keyUsage=critical,cRLSign'],
  critical: ['root', CA, '1.2.3.4=critical,ASN1:NULL'],
  foreign: ['elsewhere', CA],
}

let folder: string
let gateway: Gateway
let port: number
let late = 0
const at = (name: string) => join(folder, name)
const together = (to: string, ...files: string[]) =>
  writeFileSync(at(to), files.map((file) => readFileSync(at(file), 'utf8')).join(''))

const CERTIFIED = {
  token_endpoint_auth_method: 'tls_client_auth',
  tls_client_auth_san_dns: 'shop.example.com',
} as const
const app = (id: string, more: object = {}) => ({
  ...{ id, template: 'machine', policy: 'plain' },
  oidc: { ...CERTIFIED, ...more },
})
/** Their tokens are bound to a certificate; the first one shows a secret. */
const bound = { tls_client_certificate_bound_access_tokens: true }
const BOUND = [
  { id: 'bound', template: 'machine', policy: 'plain', oidc: bound },
  anApp('web', 'plain', {
    oidc: { redirect_uris: [CALLBACK], scopes: ['openid'], pkce: 'optional', ...bound, ...CERTIFIED },
  }),
]
const listener = () => ({
  ...{ listen: `127.0.0.1:${port}`, url: `https://localhost:${port}`, ca_file: at('root.pem') },
  ...{ cert_file: at('server.pem'), key_file: at('server.key') },
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-paths-'))
  await makeServerCertificate(folder, 'DNS:localhost')
  for (const name of ['root', 'elsewhere']) await makeAuthority(folder, name)
  for (const [name, [authority, ...says]] of Object.entries(AUTHORITIES))
    await makeIntermediate(folder, name, authority, says)
  for (const authority of ['root', ...Object.keys(AUTHORITIES)]) {
    await makeClientCertificate(folder, `of-${authority}`, { authority, names: NAMES })
    copyFileSync(at(`of-${authority}.key`), at(`with-${authority}.key`))
  }
  await makeClientCertificate(folder, 'taken-back', { authority: 'root', names: NAMES })
  await makeClientCertificate(folder, 'below-client', { authority: 'of-root', names: NAMES })
  // as a program sends them: its own first
  const above: Record<string, string[]> = {
    second: ['wide.pem'],
    third: ['second.pem', 'wide.pem'],
    'too-deep': ['issuing.pem'],
  }
  for (const name of Object.keys(AUTHORITIES))
    together(`with-${name}.pem`, `of-${name}.pem`, `${name}.pem`, ...(above[name] ?? []))
  together('with-client.pem', 'below-client.pem', 'of-root.pem')
  copyFileSync(at('below-client.key'), at('with-client.key'))
  port = await freePort()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function started(client_certificates: object, settings: object = {}): Promise<void> {
  const ca = readFileSync(at('wide.pem'), 'utf8')
  gateway = await startGateway({
    clock: { now: () => Date.now() + late },
    policies: POLICIES,
    settings: { client_certificates, ...settings },
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [app('shop'), app('own-ca', { tls_client_auth_ca: ca }), ...BOUND] as never,
  })
}
const ask = (certificate: string, client_id = 'shop') =>
  post({ folder, port, host: `localhost:${port}` }, certificate, '/oauth2/token', {
    ...{ grant_type: 'client_credentials', client_id },
  })
const statusOf = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).status

describe('at our own listener, with one authority in between', () => {
  beforeAll(() => started({ ...listener(), intermediates: 1 }))
  afterAll(() => gateway.close())

  test('a certificate comes in by what the client sent along', async () => {
    expect(await statusOf('of-root')).toBe(200)
    expect(await statusOf('with-issuing')).toBe(200)
    expect(await statusOf('with-wide')).toBe(200)
  })

  test.each([
    ['of-issuing', 'what is in between did not come along'],
    ['with-second', 'two in between'],
    ['with-too-deep', 'below an authority that may have none below it'],
    ['with-for-servers', 'an authority for servers'],
    ['with-named', 'limits of names, which nobody compares'],
    ['with-signs-nothing', 'an authority that may not sign certificates'],
    ['with-critical', 'something critical that nobody knows'],
    ['with-foreign', 'an authority that nobody named has signed what is in between'],
    ['with-client', 'a client as an authority'],
  ])('%s is refused: %s', async (name) => {
    const { status, json } = await ask(name)
    expect([status, json['error']]).toEqual([401, 'invalid_client'])
  })

  test('an app with an authority of its own has no other, and that one may have one below it', async () => {
    expect(await statusOf('of-wide', 'own-ca')).toBe(200)
    expect(await statusOf('with-second', 'own-ca')).toBe(200)
    expect(await statusOf('with-issuing', 'own-ca')).toBe(401)
    expect(await statusOf('of-root', 'own-ca')).toBe(401)
  })
})

test('two may stand in between where the settings say so, and not where a certificate says less', async () => {
  await started({ ...listener(), intermediates: 2 })
  try {
    expect(await statusOf('with-second')).toBe(200)
    expect(await statusOf('with-third')).toBe(401)
    expect(await statusOf('with-too-deep')).toBe(401)
  } finally {
    await gateway.close()
  }
})

test('none stands in between unless the settings say so', async () => {
  await started(listener())
  try {
    expect(await statusOf('of-root')).toBe(200)
    expect(await statusOf('with-issuing')).toBe(401)
  } finally {
    await gateway.close()
  }
})

describe('told by a proxy', () => {
  const told = async (headers: Record<string, string>): Promise<number> => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'shop' })
    return (await fetch(`${gateway.issuer}/oauth2/token`, { method: 'POST', headers, body })).status
  }
  const header = { header: 'client-cert', chain_header: 'client-cert-chain', intermediates: 2 }
  const behind = (proxies: readonly string[]) => started({ ...header, ca_file: at('root.pem') }, { proxies })
  const chain = (...names: string[]) => names.map((name) => clientCert(folder, name)).join(', ')

  test('the chain is a header of its own (RFC 9440 §2.3)', async () => {
    await behind(['127.0.0.1', '::1'])
    try {
      const shown = { 'client-cert': clientCert(folder, 'of-second') }
      expect(await told({ ...shown, 'client-cert-chain': chain('second', 'wide') })).toBe(200)
      expect(await told({ ...shown, 'client-cert-chain': chain('second', 'wide').replaceAll(' ', '') })).toBe(200)
      expect(await told({ 'client-cert': clientCert(folder, 'of-root') })).toBe(200)
      for (const wrong of [
        ...['', '::', chain('wide'), chain('second'), `${chain('second', 'wide')}, :AAAA:`],
        ...[escapedCert(folder, 'second'), chain(...Array.from({ length: 9 }, () => 'wide'), 'second')],
      ])
        expect(await told({ ...shown, 'client-cert-chain': wrong }), wrong.slice(0, 80)).toBe(401)
      // the chain alone is nobody's certificate
      expect(await told({ 'client-cert-chain': chain('of-root', 'second') })).toBe(401)
      expect(await told({ ...shown, client_cert_chain: chain('second', 'wide') })).toBe(401)
    } finally {
      await gateway.close()
    }
  })

  test('and nobody else is believed', async () => {
    await behind(['192.0.2.0/24'])
    try {
      const headers = { 'client-cert': clientCert(folder, 'of-wide'), 'client-cert-chain': chain('wide') }
      expect(await told(headers)).toBe(401)
    } finally {
      await gateway.close()
    }
  })
})

describe('what an authority has taken back', () => {
  beforeAll(async () => {
    await makeRevocationList(folder, 'root', { authority: 'root', revoked: ['taken-back'] })
    await makeRevocationList(folder, 'none-taken', { authority: 'root' })
    await makeRevocationList(folder, 'branch-taken', { authority: 'root', revoked: ['taken-back', 'issuing'] })
    await makeRevocationList(folder, 'issuing', { authority: 'issuing' })
    await makeRevocationList(folder, 'issuing-taken', { authority: 'issuing', revoked: ['of-issuing'] })
    await makeRevocationList(folder, 'of-others', { authority: 'elsewhere' })
    const partial = 'issuingDistributionPoint=critical,@y\n[y]\nonlyuser=TRUE'
    await makeRevocationList(folder, 'partial', { authority: 'root', extensions: partial })
    // somebody else of the same name
    mkdirSync(at('thief'))
    await makeAuthority(at('thief'), 'root')
    await makeRevocationList(at('thief'), 'forged', { authority: 'root' })
    copyFileSync(at('thief/forged.crl'), at('forged.crl'))
    together('lists.crl', 'root.crl', 'issuing.crl')
    await started({ ...listener(), intermediates: 1, crl_file: at('lists.crl') })
  })
  afterAll(() => gateway.close())
  beforeEach(() => use('root.crl', 'issuing.crl'))

  async function use(...files: string[]): Promise<void> {
    together('lists.crl', ...files)
    await gateway.server.reload()
  }
  const why = () => [...gateway.log().matchAll(/"client-certificate-refused".*?"why":"([^"]+)"/g)].at(-1)?.[1]

  test('is refused, in between as well, and nothing else is', async () => {
    expect(await statusOf('of-root')).toBe(200)
    expect(await statusOf('with-issuing')).toBe(200)
    expect(await statusOf('taken-back')).toBe(401)
    expect(why()).toBe('revoked')
    await use('none-taken.crl', 'issuing.crl')
    expect(await statusOf('taken-back')).toBe(200)
    await use('root.crl', 'issuing-taken.crl')
    expect(await statusOf('with-issuing')).toBe(401)
    await use('branch-taken.crl', 'issuing.crl')
    expect(await statusOf('of-root')).toBe(200)
    expect(await statusOf('with-issuing')).toBe(401)
  })

  const basic = (id: string) => ({ authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}` })
  const send = (certificate: string, path: string, fields: Record<string, string>, headers: Record<string, string>) =>
    post({ folder, port, host: `localhost:${port}` }, certificate, path, fields, headers)

  test('is nothing that tokens are bound to, whatever the client shows besides', async () => {
    const get = (certificate: string, more: Record<string, string> = {}) =>
      send(certificate, '/oauth2/token', { grant_type: 'client_credentials', ...more }, basic('bound'))
    expect((await get('of-root')).status).toBe(200)
    const { status, json } = await get('taken-back')
    expect([status, json['error'], why()]).toEqual([400, 'invalid_grant', 'revoked'])
    await use('none-taken.crl', 'issuing.crl')
    expect((await get('taken-back')).status).toBe(200)
  })

  test('shows no token that was bound to it before: of somebody who signed in', async () => {
    await use('none-taken.crl', 'issuing.crl')
    const browser = createBrowser({ stopAt: CALLBACK })
    const { url } = await typePassword(browser, await browser.open(appAddress(gateway, 'web')), 'sam')
    const code = url.searchParams.get('code')!
    const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, client_id: 'web' }
    const { json } = await send('taken-back', '/oauth2/token', form, {})
    const looks = async (certificate: string) =>
      (await send(certificate, '/oauth2/userinfo', {}, { authorization: `Bearer ${json['access_token']}` })).status
    expect([await looks('taken-back'), await looks('of-root')]).toEqual([200, 401])
    await use('root.crl', 'issuing.crl')
    expect(await looks('taken-back')).toBe(401)
    // whoever asks for an API that looks at the certificate itself is told to what the token is bound, and no more
    const told = await send(
      'of-root',
      '/oauth2/introspection',
      { token: String(json['access_token']), client_id: 'web' },
      {},
    )
    expect(told.json).toMatchObject({ active: true, cnf: { 'x5t#S256': thumbprint(folder, 'taken-back') } })
  })

  test('a list that is over lets nobody in, and is said to be', async () => {
    late = 1.5 * 86_400_000
    try {
      expect(await statusOf('of-root')).toBe(401)
      expect(why()).toBe('revocation-list-over')
    } finally {
      late = 0
    }
  })

  test('an authority without a list lets nobody in; one of an app itself does', async () => {
    await use('root.crl')
    expect(await statusOf('with-issuing')).toBe(401)
    expect(why()).toBe('revocation-list-missing')
    await use('of-others.crl')
    expect(await statusOf('of-root')).toBe(401)
    expect(await statusOf('of-wide', 'own-ca')).toBe(200)
  })

  test('a list of somebody else with the same name is none', async () => {
    await use('forged.crl', 'issuing.crl')
    expect(await statusOf('of-root')).toBe(401)
    expect(why()).toBe('revocation-list-of-another')
  })

  test.each([
    ['of some certificates only', () => readFileSync(at('partial.crl'), 'utf8')],
    ['that is cut', () => readFileSync(at('none-taken.crl'), 'utf8').replace(/.{40}\n-----END/, '\n-----END')],
    ['that is none', () => 'x'],
    ['that is gone', () => ''],
  ])('a file with a list %s is refused with its event, and the one before goes on', async (_, text) => {
    const before = gateway.log().length
    writeFileSync(at('lists.crl'), text())
    await gateway.server.reload()
    expect(gateway.log().slice(before)).toContain('client-certificates-refused')
    expect([await statusOf('of-root'), await statusOf('taken-back')]).toEqual([200, 401])
  })
})
