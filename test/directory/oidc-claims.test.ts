/** Who somebody is by the claims of a provider, whatever stands in them (OpenID Connect Core §5.1). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { oidcDirectory } from '../../src/config/federation.ts'
import { personOf } from '../../src/directory/kinds/oidc-claims.ts'

const settings = (more: object = {}) =>
  oidcDirectory.parse({
    ...{
      id: 'partner',
      kind: 'oidc',
      issuer: 'https://login.partner.example',
      client_id: 'portico',
      client_secret: 'x',
    },
    ...more,
  })
const of = (claims: object, more: object = {}) => personOf({ sub: 'abc', ...claims }, settings(more))

test('the usual claims make a person', () => {
  const claims = {
    ...{ preferred_username: 'ann', name: 'Ann Berg', given_name: 'Ann', family_name: 'Berg', locale: 'nl-NL' },
    ...{ email: 'ann@partner.example', email_verified: true, groups: ['a', 'b'], empno: '4711' },
  }
  const more = { groups: { map: { a: ['staff'] } }, claims: { other: { employee_number: 'empno' } } }
  expect(of(claims, more)).toEqual({
    ...{
      upstreamId: 'abc',
      usernames: ['ann', 'ann@partner.example'],
      name: 'Ann Berg',
      givenName: 'Ann',
      familyName: 'Berg',
    },
    ...{ mail: 'ann@partner.example', mailVerified: true, language: 'nl', groups: ['staff'] },
    attributes: { employee_number: ['4711'] },
  })
  expect(of({})).toEqual({ upstreamId: 'abc', usernames: ['abc'], name: 'abc', groups: [] })
})

test('other names of claims are a matter of the settings', () => {
  const claims = { oid: 'of-the-tenant', upn: 'ann', roles: 'x' }
  const more = { claims: { id: 'oid', username: 'upn', groups: 'roles' }, groups: { map: { x: ['staff'] } } }
  expect(of(claims, more)).toMatchObject({ upstreamId: 'of-the-tenant', usernames: ['ann'], groups: ['staff'] })
  expect(of({ upn: 'ann' }, more)).toBeUndefined()
})

describe('a mail address is verified only', () => {
  const mail = 'ann@partner.example'
  test.each([
    ['where the provider says true', { email: mail, email_verified: true }, {}, true],
    ['not by a text', { email: mail, email_verified: 'true' }, {}, false],
    ['not by a number', { email: mail, email_verified: 1 }, {}, false],
    ['not by nothing', { email: mail }, {}, false],
    // `email_verified` is about `email`
    ['not where it is another claim', { upn: mail, email_verified: true }, { claims: { mail: 'upn' } }, false],
  ])('%s', (_, claims, more, verified) => {
    expect(of(claims, more)).toMatchObject({ mail, mailVerified: verified })
  })
})

test.each([
  ['none', undefined],
  ['a number', 7],
  ['empty', ''],
  ['blanks', 'a b'],
  ['a line break', 'a\nb'],
  ['letters of another script', 'аnn'],
  ['too long', 'x'.repeat(256)],
  ['a thing', { a: 1 }],
])('nobody has an id that is %s', (_, sub) => {
  expect(of({ sub })).toBeUndefined()
})

test('a claim that is called like what every object has is none', () => {
  expect(of({}, { claims: { groups: 'constructor', name: 'toString' }, groups: { everybody: ['guests'] } })).toEqual({
    ...{ upstreamId: 'abc', usernames: ['abc'], name: 'abc', groups: ['guests'] },
  })
  expect(of({ groups: ['constructor', '__proto__'] })).toMatchObject({ groups: [] })
})

test('whatever stands in the claims, what comes of them is of our form', () => {
  const names = [
    'sub',
    'preferred_username',
    'name',
    'given_name',
    'email',
    'email_verified',
    'locale',
    'groups',
    'empno',
  ]
  const claims = fc.dictionary(fc.constantFrom(...names), fc.anything({ maxDepth: 2 }))
  const more = settings({ claims: { other: { employee_number: 'empno' } }, groups: { map: { a: ['staff'] } } })
  fc.assert(
    fc.property(claims, (said) => {
      const person = personOf(said, more)
      if (!person) return
      expect(person.upstreamId).toMatch(/^[\x21-\x7e]{1,255}$/)
      expect(person.groups!.every((group) => group === 'staff')).toBe(true)
      expect([undefined, true, false]).toContain(person.mailVerified)
      for (const text of [person.name, person.givenName, ...(person.attributes?.['employee_number'] ?? [])]) {
        if (text === undefined) continue
        expect([...text].length).toBeLessThanOrEqual(200)
        expect(text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
      }
    }),
    { numRuns: 1000 },
  )
})
