/** What an app is told, for people with names that mean harm. */
import { expect, test } from 'vitest'
import type { App } from '#catalog'
import { createIdentities, nobody } from '../../src/forward-auth/identity.ts'
import { claimsOf } from './house.ts'

const APP = {
  id: 'wiki',
  forwardAuth: {
    hosts: [],
    headers: [
      { name: 'remote-user', field: 'email' },
      { name: 'X-G', field: 'groups' },
    ],
    rules: [],
  },
} as unknown as App
const signer = { kid: 'k', alg: 'ES256', sign: () => Buffer.from('x') }
const identities = createIdentities({
  issuer: 'https://id.example.com',
  keys: { signing: { signers: () => [signer] } } as never,
  clock: { now: () => 1_000_000 },
})
const told = async (person: object) => {
  const known = { id: 'p1', username: 'sam', name: 'Sam', mailVerified: false, attributes: {}, groups: [], ...person }
  const about = { app: APP, origin: 'https://wiki.example.com', person: known as never, session: { id: 's1' } as never }
  return (await identities.of(about, { acr: 'any', amr: ['pwd'], authTime: 5000 }, undefined)).headers
}

test('a line break in a name begins no header, and a comma in a group no second group', async () => {
  const headers = await told({ name: 'Sam\r\nRemote-User: admin\u2028x', groups: ['a,admins', '100%', 'b\nc'] })
  expect(headers['Remote-Name']).toBe('Sam Remote-User: admin x')
  expect(headers['Remote-Groups']).toBe('a%2Cadmins,100%25,b c')
  expect(headers['X-G']).toBe(headers['Remote-Groups'])
  for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\xff]*$/)
  expect(claimsOf(headers['X-Portico-Jwt']!).groups).toEqual(['a,admins', '100%', 'b\nc'])
})

test('letters of other scripts go out as the bytes of UTF-8', async () => {
  const { 'Remote-Name': name = '' } = await told({ name: 'Зоя 王' })
  expect(Buffer.from(name, 'latin1').toString('utf8')).toBe('Зоя 王')
})

test('a mail address that nobody verified is in the token, with that said, and in no header', async () => {
  const headers = await told({ mail: 'boss@kestrel.example' })
  expect(Object.values(headers)).not.toContain('boss@kestrel.example')
  expect(claimsOf(headers['X-Portico-Jwt']!)).toMatchObject({ email: 'boss@kestrel.example', email_verified: false })
  expect((await told({ mail: 'sam@kestrel.example', mailVerified: true }))['Remote-Email']).toBe('sam@kestrel.example')
})

test("an app's own meaning of a header comes before ours, and nobody has every header empty", () => {
  expect(nobody(APP)).toEqual({
    'Remote-Groups': '',
    'Remote-Email': '',
    'Remote-Name': '',
    'remote-user': '',
    'X-G': '',
    'X-Portico-Jwt': '',
    'Cache-Control': 'no-store',
  })
})

test('whose groups are not known has none in the header, and none claimed in the token', async () => {
  const headers = await told({ groups: undefined })
  expect(headers['Remote-Groups']).toBe('')
  expect(claimsOf(headers['X-Portico-Jwt']!)).not.toHaveProperty('groups')
})
