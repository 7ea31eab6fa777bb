/** Active Directory as a real domain controller has it, with the template and nothing else. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Person } from '#directory'
import { AD_GROUPS, AD_STAFF, type Samba, startSamba } from '../support/samba.ts'
import { openHouse } from './house.ts'

const PASSWORD = 'Correct.Horse.9'
const dn = (name: string) => `CN=${name},${AD_STAFF}`
const group = (name: string) => `CN=${name},${AD_GROUPS}`
let samba: Samba

beforeAll(async () => {
  samba = await startSamba()
  const { person, group: made } = samba
  await samba.modify(
    [
      person('sam', PASSWORD, [
        'userPrincipalName: sam.jansen@kestrel.example',
        'displayName: Sam Jansen',
        'givenName: Sam',
        'sn: Jansen',
        'mail: s.jansen@kestrel.example',
        'preferredLanguage: nl-NL',
      ]),
      person('kim', PASSWORD),
      made('Store Staff', [dn('sam')]),
      made('Staff', [group('Store Staff')]),
      made('Everybody', [group('Staff')]),
      person('pim', PASSWORD),
      made('Primary', [dn('pim')]),
      made('Above', [group('Primary')]),
      `dn: ${group('Store Staff')}\nchangetype: modify\nadd: member\nmember: ${dn('pim')}\n\n`,
    ].join(''),
  )
  const found = await samba.search('(cn=Primary)', 'primaryGroupToken')
  const token = /^primaryGroupToken: (\d+)$/m.exec(found)![1]
  await samba.modify(`dn: ${dn('pim')}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: ${token}\n`)
}, 60_000)
afterAll(() => samba.end())

async function open(changes: Readonly<Record<string, unknown>> = {}) {
  const house = await openHouse([samba.settings(changes)])
  onTestFinished(() => house.people.close())
  return house
}

test('one person by account name, principal name and with the domain, with names, mail, language and groups in groups', async () => {
  const { people } = await open()
  const sam = (await people.verifyPassword('sam', PASSWORD)) as Person
  expect(sam).toMatchObject({
    username: 'sam',
    name: 'Sam Jansen',
    givenName: 'Sam',
    familyName: 'Jansen',
    mail: 's.jansen@kestrel.example',
    language: 'nl',
    disabled: false,
  })
  expect(sam.groups).toEqual(expect.arrayContaining(['Everybody', 'Staff', 'Store Staff']))
  for (const typed of ['SAM', 'sam.jansen@kestrel.example', 'KESTREL\\sam', 'kestrel\\Sam'])
    expect(await people.verifyPassword(typed, PASSWORD), typed).toMatchObject({ id: sam.id, username: 'sam' })
  expect(await people.verifyPassword('sam', 'wrong horse')).toBe('wrong')
  expect(await people.verifyPassword('kim', PASSWORD)).toMatchObject({ name: 'kim' })
})

test.each([
  {},
  { groups_from: 'member_of', nested_groups: true },
  { group_filter: '(member={dn})', nested_groups: true },
])('groups in groups, and the primary group with those above it: %j', async (changes) => {
  const { people, said } = await open({ group_base_dn: AD_GROUPS, ...changes })
  expect((await people.find('sam'))?.groups).toEqual(['Everybody', 'Staff', 'Store Staff'])
  // Domain Users is the primary group of everybody, and stands elsewhere
  expect((await people.find('kim'))?.groups).toEqual([])
  for (const time of ['first', 'second'])
    expect((await people.find('pim'))?.groups, time).toEqual(['Above', 'Everybody', 'Primary', 'Staff', 'Store Staff'])
  expect(said.join('\n')).not.toContain('directory-groups-unknown')
})

test('where groups are searched everywhere, everybody has Domain Users', async () => {
  const { people } = await open()
  expect((await people.find('kim'))?.groups).toEqual(expect.arrayContaining(['Domain Users', 'Users']))
  expect((await (await open({ groups: { only: ['Store*'] } })).people.find('kim'))?.groups).toEqual([])
})

test.each(['PARTNER\\sam', 'KESTREL\\KESTREL\\sam', 'KESTREL\\', '\\sam', 'sam@partner.example', 'DC1$', 'KESTREL\\*'])(
  'nobody is %s',
  async (typed) => {
    const { people } = await open()
    expect(await people.find(typed)).toBeUndefined()
    expect(await people.verifyPassword(typed, PASSWORD)).toBe('wrong')
  },
)

test('where no domain is set, none may be typed', async () => {
  const { people } = await open({ domain: undefined })
  expect(await people.find('KESTREL\\sam')).toBeUndefined()
  expect(await people.find('sam')).toMatchObject({ username: 'sam' })
})

test('somebody who is renamed and moved is the same person, by objectGUID', async () => {
  await samba.modify(samba.person('robin', PASSWORD, ['displayName: Robin Vos']))
  const { people } = await open()
  const robin = (await people.find('robin')) as Person
  await samba.modify(
    `dn: ${dn('robin')}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: robin.smit\n\n` +
      `dn: ${dn('robin')}\nchangetype: modrdn\nnewrdn: CN=Robin Smit\ndeleteoldrdn: 1\nnewsuperior: CN=Users,DC=kestrel,DC=example\n`,
  )
  expect(await people.verifyPassword('robin.smit', PASSWORD)).toMatchObject({ id: robin.id, username: 'robin.smit' })
})

test('what the settings say wins over the template, each value by itself', async () => {
  const { people } = await open({
    user_filter: '(&(objectClass=user)(mail={username}))',
    attributes: { name: 'givenName' },
  })
  expect(await people.find('sam')).toBeUndefined()
  expect(await people.find('s.jansen@kestrel.example')).toMatchObject({ username: 'sam', name: 'Sam' })
})
