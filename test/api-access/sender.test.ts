/** Tokens that are bound: to a key, by a proof for each call; to a certificate, by the connection. */
import { createHash, randomUUID, X509Certificate } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority, makeClientCertificate, makeIntermediate, makeRevocationList } from '../support/certificates.ts'
import type { Gateway } from '../support/gateway.ts'
import { athOf, base64url, ecKeys, type Json, now, proof, publicJwk, respelled } from '../support/proofs.ts'
import { applyApis, bound, call, HOST, orders, startApis, tokenOf } from './house.ts'

let gateway: Gateway
let bearer: string
const keys = ecKeys()
const folder = mkdtempSync(join(tmpdir(), 'portico-sender-'))
const pem = (name: string) => new X509Certificate(readFileSync(join(folder, `${name}.pem`)))
let late = 0
const told = (name: string) => ({ 'Client-Cert': `:${pem(name).raw.toString('base64')}:` })
beforeAll(async () => {
  await makeAuthority(folder, 'authority')
  await makeClientCertificate(folder, 'one', { authority: 'authority' })
  await makeClientCertificate(folder, 'two', { authority: 'authority' })
  await makeIntermediate(folder, 'between', 'authority')
  await makeClientCertificate(folder, 'below', { authority: 'between' })
  await makeRevocationList(folder, 'none', { authority: 'authority' })
  await makeRevocationList(folder, 'one-taken', { authority: 'authority', revoked: ['one'] })
  await makeRevocationList(folder, 'below-taken', { authority: 'between', revoked: ['below'] })
  await makeRevocationList(folder, 'two-elsewhere', { authority: 'between', revoked: ['two'] })
  copyFileSync(join(folder, 'none.crl'), join(folder, 'lists.crl'))
  const files = { ca_file: join(folder, 'authority.pem'), crl_file: join(folder, 'lists.crl') }
  gateway = await startApis({
    clock: { now: () => Date.now() + late },
    settings: { client_certificates: { header: 'client-cert', ...files } },
  })
  bearer = await tokenOf(gateway, 'one')
}, 60_000)
afterAll(async () => {
  await gateway?.close()
  rmSync(folder, { recursive: true })
})

/** As the engine writes them (RFC 9449 §6.1, RFC 8705 §3.1). */
async function boundTo(cnf: object, more: object = {}): Promise<string> {
  const [head, body] = bearer.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  const text = `${base64url(head!)}.${base64url(JSON.stringify({ ...JSON.parse(body!), jti: randomUUID(), ...more, cnf }))}`
  const signer = gateway.server.house.keys.signing.signers().find(({ alg }) => alg === 'ES256')!
  return `${text}.${Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')}`
}
const toKey = async () => boundTo({ jkt: await calculateJwkThumbprint(publicJwk(keys) as never) })
const toCertificate = (name: string, more: object = {}) =>
  boundTo({ 'x5t#S256': createHash('sha256').update(pem(name).raw).digest('base64url') }, more)

describe('a token that is bound to a key', () => {
  const ADDRESS = `https://${HOST}/orders/1`
  const proved = (token: string, claims: Json = {}, by = keys, header: Json = {}) =>
    proof(by, ADDRESS, { header, claims: { htm: 'GET', ath: athOf(token), ...claims } })
  const ask = (token: string, dpop: string | string[] | undefined, more: object = {}) =>
    call(gateway, '/orders/1?a=b', token, { scheme: 'DPoP', headers: dpop === undefined ? {} : { dpop }, ...more })

  test('opens with a proof for this very call', async () => {
    const token = await toKey()
    expect((await ask(token, proved(token))).status).toBe(200)
  })

  test('opens once with one proof, also of many copies at once', async () => {
    const token = await toKey()
    const same = proved(token)
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(token, same)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.find(({ status }) => status !== 200)!.challenge).toMatch(/^DPoP error="invalid_dpop_proof"/)
  })

  test.each<[string, (token: string) => string | string[] | undefined]>([
    ['no proof', () => undefined],
    ['a proof for another method', (token) => proved(token, { htm: 'POST' })],
    ['a proof for another address', (token) => proved(token, { htu: `https://${HOST}/orders/2` })],
    ['a proof for another host', (token) => proved(token, { htu: 'https://evil.example/orders/1' })],
    ['a proof for another token', () => proved('another')],
    ['a proof for no token', (token) => proved(token, { ath: undefined })],
    ['a proof with another key', (token) => proved(token, {}, ecKeys())],
    ['a proof of two minutes ago', (token) => proved(token, { iat: now() - 120 })],
    ['a proof of the future', (token) => proved(token, { iat: now() + 120 })],
    ['a proof of another type', (token) => proved(token, {}, keys, { typ: 'JWT' })],
    ['an unsigned proof', (token) => proved(token, {}, keys, { alg: 'none' })],
    ['a proof without id', (token) => proved(token, { jti: undefined })],
    ['two proofs', (token) => [proved(token), proved(token)]],
    ['a proof in another spelling', (token) => respelled(proved(token))],
    ['no JWT', () => 'x'],
  ])('does not open with %s', async (_, make) => {
    const token = await toKey()
    const answer = await ask(token, make(token))
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.told).toEqual([undefined, undefined, undefined])
  })

  test('is no bearer token, and a bearer token is none with a proof', async () => {
    const token = await toKey()
    expect((await ask(token, proved(token), { scheme: 'Bearer' })).status).toBe(401)
    expect((await ask(bearer, proved(bearer))).status).toBe(401)
  })

  test('is the only one that an API takes which wants it', async () => {
    await applyApis(gateway, { ...orders, sender_constraint: 'dpop' })
    const answer = await call(gateway, '/orders/1', bearer)
    expect([answer.status, answer.challenge]).toEqual([
      401,
      expect.stringMatching(/^DPoP error="invalid_token".* algs="ES256 /),
    ])
    const token = await toKey()
    expect((await ask(token, proved(token))).status).toBe(200)
    await applyApis(gateway, orders)
  })
})

describe('a token that is bound to a certificate', () => {
  const ask = (token: string, headers: Record<string, string> = {}, from?: string) =>
    call(gateway, '/x', token, { host: 'bound.kestrel.example', headers, ...(from ? { from } : {}) })
  const token = (name: string) => toCertificate(name, { aud: bound.audience, scope: 'bound:read' })

  test('opens over a connection with it, and with no other', async () => {
    const one = await token('one')
    expect((await ask(one, told('one'))).status).toBe(200)
    for (const headers of [told('two'), {}, { 'Client-Cert': 'x' }, { 'X-Client-Cert': told('one')['Client-Cert'] }])
      expect((await ask(one, headers)).status).toBe(401)
    expect((await ask(one, told('one'), '127.0.0.2')).status).toBe(403)
  })

  test('opens no more once the certificate was taken back, which the log says; others go on', async () => {
    const use = async (...lists: string[]) => {
      const text = lists.map((one) => readFileSync(join(folder, `${one}.crl`), 'utf8')).join('')
      writeFileSync(join(folder, 'lists.crl'), text)
      await gateway.server.reload()
    }
    const [one, two, below] = [await token('one'), await token('two'), await token('below')]
    const statuses = async () => [
      (await ask(one, told('one'))).status,
      (await ask(two, told('two'))).status,
      (await ask(below, told('below'))).status,
    ]
    expect(await statuses()).toEqual([200, 200, 200])
    await use('one-taken')
    expect(await statuses()).toEqual([401, 200, 200])
    expect(gateway.log()).toMatch(/"client-certificate-refused".*"why":"revoked"/)
    // what stands in between does not come along here; a number is one of its authority
    await use('one-taken', 'below-taken', 'two-elsewhere')
    expect(await statuses()).toEqual([401, 200, 401])
    await use('none')
    expect(await statuses()).toEqual([200, 200, 200])
    // it is about new tokens whether a list is over
    late = 1.5 * 86_400_000
    try {
      const fresh = { exp: now() + 2 * 86_400, iat: now() + 86_400 * 1.5 }
      const again = await toCertificate('one', { aud: bound.audience, scope: 'bound:read', ...fresh })
      expect((await ask(again, told('one'))).status).toBe(200)
      // and the time of the certificate is over two days after it was made
      late = 2.5 * 86_400_000
      const later = { exp: now() + 3 * 86_400, iat: now() + 86_400 * 2.5 }
      const last = await toCertificate('one', { aud: bound.audience, scope: 'bound:read', ...later })
      expect((await ask(last, told('one'))).status).toBe(401)
    } finally {
      late = 0
    }
  })

  test('is the only one that an API takes which wants it', async () => {
    const free = await boundTo(
      { jkt: await calculateJwkThumbprint(publicJwk(keys) as never) },
      { aud: bound.audience, scope: 'bound:read' },
    )
    expect((await ask(free, told('one'))).status).toBe(401)
  })
})
