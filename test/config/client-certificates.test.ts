/** What has to stand together for certificates of clients to reach the gateway. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadSettings } from '#config'

const folder = mkdtempSync(join(tmpdir(), 'portico-settings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LISTENER = { listen: '127.0.0.1:8443', cert_file: 'a.pem', key_file: 'a.key', url: 'https://mtls.example.com' }
const complaints = (client_certificates: object, proxies: readonly string[] = ['10.0.0.1']) => {
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, JSON.stringify({ proxies, client_certificates }))
  return loadSettings(file, {}).problems.map(({ message }) => message)
}

test.each([
  ['a header from proxies', { header: 'client-cert' }],
  ['a listener', LISTENER],
  ['both', { ...LISTENER, header: 'client-cert', ca_file: 'ca.pem' }],
  ['a header at another address', { header: 'client-cert', url: 'https://mtls.example.com:8443' }],
])('%s will do', (_, given) => {
  expect(complaints(given)).toEqual([])
})

test.each([
  ['nothing', {}, /and so is `listen`/],
  ['a name that is no header', { header: 'Client_Cert' }, /name of a header/],
  ['a listener without certificate', { ...LISTENER, cert_file: undefined }, /cert_file` is missing/],
  ['a listener without key', { ...LISTENER, key_file: undefined }, /key_file` is missing/],
  ['a listener that nobody finds', { ...LISTENER, url: undefined }, /url` is missing/],
  ['a certificate without listener', { header: 'client-cert', cert_file: 'a.pem' }, /no effect/],
  ['an address without TLS', { ...LISTENER, url: 'http://mtls.example.com' }, /https/],
  ['an address with a path', { ...LISTENER, url: 'https://mtls.example.com/x' }, /without path/],
] as const)('%s will not do', (_, given, message) => {
  expect(complaints(given).join('\n')).toMatch(message)
})

test('a header is worth nothing where no proxy could set it', () => {
  expect(complaints({ header: 'client-cert' }, []).join()).toMatch(/in `proxies` only/)
})

test('the environment names its files, and does not read them for values', () => {
  const file = join(folder, 'portico.yaml')
  writeFileSync(file, JSON.stringify({ client_certificates: LISTENER }))
  const { settings } = loadSettings(file, { PORTICO_CLIENT_CERTIFICATES__CA_FILE: 'ca.pem' })
  expect(settings?.client_certificates?.ca_file).toBe('ca.pem')
})
