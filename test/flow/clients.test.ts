/**
 * Clients that are not ours against `portico serve`: each grant that they can, with each way to show who they are, with tokens of
 * each kind. `docs/clients.md` has the table of what is tried here.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { thumbprint } from '../support/certified.ts'
import type { Talk } from '../support/python-app.ts'
import { authlib, startAuthlib } from './clients/authlib.ts'
import {
  ABILITIES,
  at,
  BINDINGS,
  type Binding,
  type ClientName,
  canDo,
  certificateOf,
  GRANTS,
  type Grant,
  METHODS,
  type Method,
  type Place,
  type Program,
  type Tokens,
} from './clients/axes.ts'
import { curl } from './clients/curl.ts'
import { startGround } from './clients/ground.ts'
import { openidClient } from './clients/openid-client.ts'

let ground: Awaited<ReturnType<typeof startGround>>
let talk: Talk
let keys: ReturnType<typeof createRemoteJWKSet>
beforeAll(async () => {
  ground = await startGround()
  talk = await startAuthlib()
  keys = createRemoteJWKSet(new URL(`${ground.issuer}/oauth2/jwks`))
})
afterAll(async () => {
  await talk?.close()
  await ground?.close()
})

const CLIENTS: Readonly<Record<ClientName, (place: Place) => Program | Promise<Program>>> = {
  'openid-client': openidClient,
  Authlib: (place) => authlib(talk, place),
  curl,
}

/** What an API would make of the token: for it, of this client, and bound as it should be. */
async function look(tokens: Tokens, place: Place, api: string, subject: string) {
  const options = { issuer: ground.issuer, audience: at(api), typ: 'at+jwt', algorithms: ['ES256'] }
  const { payload } = await jwtVerify(tokens.access_token, keys, options)
  expect(payload).toMatchObject({ client_id: place.app, sub: subject, scope: expect.stringContaining(`${api}:read`) })
  const cnf = {
    bearer: undefined,
    dpop: { jkt: expect.stringMatching(/^[\w-]{43}$/) },
    mtls: { 'x5t#S256': thumbprint(ground.folder, certificateOf(place)) },
  }[place.binding]
  expect([tokens.token_type.toLowerCase(), payload['cnf']]).toEqual([place.binding === 'dpop' ? 'dpop' : 'bearer', cnf])
  return payload
}

async function signIn(program: Program, how: Parameters<Program['begin']>[0] = {}) {
  const { url, finish } = await program.begin(how)
  const callback = await ground.opens(url)
  return { tokens: await finish(callback), callback, url: new URL(url) }
}

async function signsIn(program: Program, place: Place, how: Parameters<Program['begin']>[0] = {}) {
  const { tokens, callback, url } = await signIn(program, how)
  await look(tokens, place, 'orders', ground.person)
  expect(decodeJwt(tokens.id_token!)).toMatchObject({ aud: place.app, sub: ground.person })
  expect([url.searchParams.has('request_uri'), url.searchParams.has('request')]).toEqual([!!how.pushed, !!how.signed])
  expect(callback.searchParams.has('response')).toBe(!!how.answered)
}

const TRIALS: Readonly<Record<Grant, (program: Program, place: Place) => Promise<void>>> = {
  code: (program, place) => signsIn(program, place),
  pushed: (program, place) => signsIn(program, place, { pushed: true }),
  signed: (program, place) => signsIn(program, place, { signed: true }),
  answered: (program, place) => signsIn(program, place, { answered: true }),

  async refresh(program, place) {
    const { tokens } = await signIn(program)
    const second = await program.refresh(tokens.refresh_token!)
    await look(second, place, 'orders', ground.person)
    const third = await program.refresh(second.refresh_token!)
    expect(new Set([tokens, second, third].map((one) => one.refresh_token)).size).toBe(3)
    await expect(program.refresh(tokens.refresh_token!)).rejects.toThrow()
    // the family has ended with the one that came twice
    await expect(program.refresh(third.refresh_token!)).rejects.toThrow()
  },

  async credentials(program, place) {
    await look(await program.credentials(), place, 'orders', place.app)
  },

  async device(program, place) {
    const { url, finish } = await program.device()
    await ground.connects(url)
    await look(await finish(), place, 'orders', ground.person)
  },

  async exchange(program, place) {
    const { tokens } = await signIn(program)
    const other = await program.exchange(tokens.access_token)
    expect((await look(other, place, 'stock', ground.person))['act']).toEqual({ sub: place.app })
  },
}

describe.each(Object.keys(CLIENTS) as ClientName[])('%s', (name) => {
  const { grants, methods, bindings } = ABILITIES[name]
  const ways = methods.flatMap((method) => bindings.map((binding) => [method, binding] as const))
  describe.each(ways)('%s, %s', (method, binding) => {
    test.each(grants.filter((grant) => canDo(grant, method)))('%s', async (grant) => {
      const place = ground.place(method, binding, grant === 'signed')
      await TRIALS[grant](await CLIENTS[name](place), place)
    })
  })
})

describe('the table of docs/clients.md', () => {
  const doc = readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8')
  const section = doc.split(/^## /m).find((one) => one.startsWith('Clients that are tried')) ?? ''
  const [head, , ...rows] = [...section.matchAll(/^\|(.+)\|$/gm)].map(([, row]) =>
    row!.split('|').map((one) => one.trim()),
  )
  const names = Object.keys(CLIENTS) as ClientName[]

  test('says of each client what is tried here, and nothing else', () => {
    expect(head).toEqual(['', ...names])
    const row = (words: string, has: (name: ClientName) => boolean) => [
      words,
      ...names.map((n) => (has(n) ? 'yes' : '—')),
    ]
    expect(rows).toEqual([
      ...Object.entries(GRANTS).map(([grant, words]) =>
        row(words, (n) => ABILITIES[n].grants.includes(grant as Grant)),
      ),
      ...Object.entries(METHODS).map(([method, words]) =>
        row(words, (n) => ABILITIES[n].methods.includes(method as Method)),
      ),
      ...Object.entries(BINDINGS).map(([binding, words]) =>
        row(words, (n) => ABILITIES[n].bindings.includes(binding as Binding)),
      ),
    ])
  })

  test('has every way to authenticate that the discovery document offers', async () => {
    const found = await (await fetch(`${ground.issuer}/.well-known/openid-configuration`)).json()
    expect(found['token_endpoint_auth_methods_supported'].toSorted()).toEqual(Object.keys(METHODS).toSorted())
  })
})
