/** What is revoked is over at the next call, and stands in the list of those who check tokens by themselves. */
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shortId } from '#apis'
import type { Gateway } from '../support/gateway.ts'
import { call, ORDERS, post, program, STOCK, startApis, tokenOf } from './house.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startApis()
})
afterAll(() => gateway?.close())

const status = async (token: string, host?: string) =>
  (await call(gateway, '/orders/1', token, host === undefined ? {} : { host })).status

/** From the answer to the revocation to the first refusal. */
async function timed(kind: string, token: string, revoke: () => Promise<unknown>, host?: string): Promise<void> {
  expect(await status(token, host)).toBe(200)
  await revoke()
  const from = performance.now()
  let calls = 1
  while ((await status(token, host)) === 200 && calls < 1000) calls++
  console.log(`revoked → refused, ${kind}: call ${calls}, after ${(performance.now() - from).toFixed(1)} ms`)
  expect(calls).toBe(1)
}
const revoke = (id: string, token: string) => post(gateway, 'revocation', id, { token })

async function list(etag?: string) {
  const answer = await fetch(`${gateway.issuer}/oauth2/revoked`, { headers: etag ? { 'if-none-match': etag } : {} })
  return { answer, etag: answer.headers.get('etag')!, text: await answer.text() }
}

describe('the first call after it is refused', () => {
  test('a JWT, by its client (RFC 7009)', async () => {
    const [token, another] = [await tokenOf(gateway, 'one'), await tokenOf(gateway, 'one')]
    await timed('JWT, token', token, async () => {
      const answer = await revoke('one', token)
      expect([answer.status, await answer.text()]).toEqual([200, ''])
    })
    expect(await status(another)).toBe(200)
    // again, or of no token at all, is no mistake
    expect((await revoke('one', token)).status).toBe(200)
  })

  test('an opaque token, by its client', async () => {
    const token = await tokenOf(gateway, 'one', STOCK)
    await timed('opaque, token', token, () => revoke('one', token), 'stock.kestrel.example')
  })

  test('all of an app that is removed, also once it is registered again', async () => {
    const { apps } = gateway.server.house.catalog
    const token = await tokenOf(gateway, 'other')
    await timed('JWT, client', token, () => apps.remove('other', 'test'))
    await apps.register(program('other', { orders: ['orders:read'] }) as never, 'test')
    expect(await status(token)).toBe(401)
  })

  test('of an app that may no longer call this API', async () => {
    const { apps } = gateway.server.house.catalog
    const token = await tokenOf(gateway, 'reader')
    const text = JSON.stringify(program('reader', { stock: ['stock:read'] }))
    await timed('JWT, grant of an app', token, () => apps.apply([{ file: 'a.yaml', text }], { by: 'test' } as never))
  })
})

/** As the engine writes it for somebody who has signed in. */
async function ofPerson(person: string, more: object = {}): Promise<string> {
  const parts = (await tokenOf(gateway, 'one')).split('.').map((part) => Buffer.from(part, 'base64url').toString())
  const claims = JSON.stringify({
    ...JSON.parse(parts[1]!),
    jti: `${person}-${Object.keys(more)}`,
    sub: person,
    client_id: 'people',
    ...more,
  })
  const text = [parts[0]!, claims].map((part) => Buffer.from(part).toString('base64url')).join('.')
  const signer = gateway.server.house.keys.signing.signers().find(({ alg }) => alg === 'ES256')!
  return `${text}.${Buffer.from(await signer.sign(Buffer.from(text))).toString('base64url')}`
}

test('of a person who is switched off, and of a session that ends, the first call after it is refused', async () => {
  const { people, sessions, catalog } = gateway.server.house
  await catalog.apps.register(
    {
      ...{ id: 'people', name: 'People', policy: 'open', audience: ['staff'] },
      oidc: { redirect_uris: ['https://people.kestrel.example/cb'], apis: { orders: ['orders:read'] } },
    } as never,
    'test',
  )
  const { id } = await people.add(
    { username: 'sam', name: 'Sam', groups: ['staff'], password: 'a lamp post in the rain' },
    'test',
  )
  const proofs = [{ factor: 'password', at: Date.now(), amr: ['pwd'] }]
  const { session } = await sessions.start({ personId: id, proofs: proofs as never, address: '127.0.0.1' })
  await timed('JWT, session', await ofPerson(id, { sid: session.id }), () => sessions.end(session.id, 'ended', 'test'))
  await timed('JWT, person', await ofPerson(id), () => people.disable(id, 'test'))
  const { text } = await list()
  expect(decodeJwt(text)['subjects']).toEqual({ [shortId(id)]: expect.any(Number) })
})

test('nobody else revokes a token, and no other text is taken for one', async () => {
  const token = await tokenOf(gateway, 'one')
  expect((await revoke('less', token)).status).toBe(200)
  expect(await status(token)).toBe(200)
  expect((await revoke('one', `${token.slice(0, -4)}AAAA`)).status).toBe(400)
  const wrong = await fetch(`${gateway.issuer}/oauth2/revocation`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('one:wrong')}` },
    body: new URLSearchParams({ token }),
  })
  expect(wrong.status).toBe(401)
  expect(await status(token)).toBe(200)
})

test('the list names it by a short hash, is signed, and is told again only once it has changed', async () => {
  const before = await list()
  expect((await list(before.etag)).answer.status).toBe(304)
  const token = await tokenOf(gateway, 'one')
  await revoke('one', token)
  const { answer, text, etag } = await list(before.etag)
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'public, max-age=5'])
  expect(etag).not.toBe(before.etag)
  expect(decodeProtectedHeader(text).typ).toBe('portico-revoked+jwt')
  const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  const { payload } = await jwtVerify(text, createLocalJWKSet(jwks), {
    issuer: gateway.issuer,
    typ: 'portico-revoked+jwt',
  })
  expect(payload['tokens']).toContain(shortId(decodeJwt(token).jti!))
  expect(payload['clients']).toEqual({ [shortId('other')]: expect.any(Number) })
  expect(text).not.toContain(ORDERS)
})
