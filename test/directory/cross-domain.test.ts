/** Whatever an upstream writes into its claims, nobody of another domain is reached by it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { personOf } from '../../src/directory/kinds/oidc-claims.ts'
import { known, world } from './federation-house.ts'

const SETTINGS = {
  claims: {
    ...{
      id: 'sub',
      username: 'preferred_username',
      name: 'name',
      given_name: 'given_name',
      family_name: 'family_name',
    },
    ...{ mail: 'email', language: 'locale', groups: 'groups', other: {} },
  },
  groups: { map: {}, everybody: [] },
}

const LOCALS = ['sam', 'SAM', 'pat', 'sam+x', '"sam@kestrel.example"', 'ſam', 'sam\u0000', ' sam', 'sam,pat', '']
const DOMAINS = [
  'kestrel.example',
  'KESTREL.EXAMPLE',
  'kestrel.example.',
  'Kestrel.example',
  'ｋestrel.example',
  'kestrel.example\u0000.partner.example',
  'kestrel.example partner.example',
  'kestrel.example,pat@partner.example',
  'partner.example',
  'Partner.Example',
  'partner.example.',
  'partner.example@kestrel.example',
  'kestrel.example@partner.example',
  'x.partner.example',
  'partner.example.kestrel.example',
  '',
]
const address = fc
  .tuple(fc.constantFrom(...LOCALS), fc.constantFrom(...DOMAINS), fc.constantFrom('', ' ', '\n', '>'))
  .map(([local, domain, end]) => `${local}@${domain}${end}`)
const mail = fc.oneof(
  { weight: 4, arbitrary: address },
  { weight: 2, arbitrary: fc.constantFrom('pat@partner.example', 'PAT@partner.example', 'sam@partner.example') },
  fc.array(address, { maxLength: 3 }),
  fc.constantFrom(null, 7, {}, [], 'sam', '@', { toString: 'sam@kestrel.example' }),
)
const claims = fc.record(
  {
    sub: fc.constantFrom('one', 'two', 'three', 'sam@kestrel.example'),
    email: mail,
    email_verified: fc.oneof(
      { weight: 2, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constantFrom<unknown>(false, 'true', 1, [true], null) },
    ),
    preferred_username: fc.oneof(mail, fc.constantFrom('sam', 'pat', 'SAM')),
    name: fc.constantFrom('Sam', 'sam@kestrel.example'),
    groups: fc.constantFrom<unknown>(['administrators'], 'administrators', ['staff'], undefined),
    hd: address,
    upn: address,
  },
  { requiredKeys: ['sub'] },
)

test('over random claims nobody of a domain that is not the provider’s is connected, named or written to', async () => {
  const { people, come } = await world({ link: { mail: true } })
  const verified = { mailVerified: true, groups: [] }
  const add = async (username: string, mail: string, more: object = {}) =>
    (await people.add({ username, name: username, mail, ...verified, ...more }, 'test')).id
  const ours = [await add('sam', 'sam@kestrel.example'), await add('ceo', 'pat@kestrel.example')]
  const boss = await add('boss', 'sam@partner.example', { groups: ['administrators'] })
  const pat = await add('pat', 'pat@partner.example')
  let reached = 0
  let told = 0
  let run = 0
  const check = async (said: Readonly<Record<string, unknown>>) => {
    // an account of its own each time: what was connected before says nothing about these claims
    const person = personOf({ ...said, sub: `${said['sub']}-${++run}` }, SETTINGS)!
    const arrived = await known(come(person))
    expect([...ours, boss]).not.toContain(arrived.id)
    if (arrived.id === pat) {
      reached++
      const first = [said['email']].flat().find((one) => one === person.mail)
      expect(String(first).toLowerCase()).toBe('pat@partner.example')
      expect(said['email_verified']).toBe(true)
      // the next one shall be able to reach them again
      await people.unlink(pat, 'partner', 'test')
      return
    }
    if (arrived.mail !== undefined) {
      told++
      expect(arrived.mail).toMatch(/^[\x21-\x7e]+@partner\.example$/i)
    }
    expect(arrived.groups).toEqual([])
    expect(arrived.username).toMatch(/@partner(\.example)?$/i)
    if (/@partner\.example$/i.test(arrived.username)) expect(said['email_verified']).toBe(true)
    for (const id of [...ours, boss]) expect(await people.identities(id)).toEqual([])
    await people.remove(arrived.id, 'test')
  }
  await fc.assert(fc.asyncProperty(claims, check), { numRuns: 600 })
  // and none of this for want of trying
  expect([reached > 10, told > 10]).toEqual([true, true])
})
