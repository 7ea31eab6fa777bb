/** A real Active Directory domain controller brought over: everybody, and then what changed by `uSNChanged`. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Person } from '#directory'
import { onlySoMany } from '../support/ldap-ranges.ts'
import { AD_BASE, AD_GROUPS, AD_STAFF, type Samba, startSamba } from '../support/samba.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, type TestHouse } from './house.ts'

const PASSWORD = 'Correct.Horse.9'
const USERS = `CN=Users,${AD_BASE}`
const dn = (name: string) => `CN=${name},${AD_STAFF}`
const group = (name: string) => `CN=${name},${AD_GROUPS}`
let samba: Samba

const replace = (where: string, attribute: string, value: string | number) =>
  `dn: ${where}\nchangetype: modify\nreplace: ${attribute}\n${attribute}: ${value}\n\n`
const member = (what: 'add' | 'delete', where: string, who: string) =>
  `dn: ${where}\nchangetype: modify\n${what}: member\nmember: ${who}\n\n`

beforeAll(async () => {
  samba = await startSamba()
  const { person, group: made } = samba
  await samba.modify(
    [
      person('sam', PASSWORD, ['userPrincipalName: sam.jansen@kestrel.example', 'displayName: Sam Jansen']),
      person('kim', PASSWORD),
      person('pim', PASSWORD),
      person('robin', PASSWORD, ['displayName: Robin Vos']),
      person('off', PASSWORD, ['userAccountControl: 514']),
      person('ended', PASSWORD, ['accountExpires: 132223104000000000']),
      person('fresh', PASSWORD, ['pwdLastSet: 0']),
      made('Store Staff', [dn('sam'), dn('pim')]),
      made('Staff', [group('Store Staff')]),
      made('Everybody', [group('Staff')]),
      made('Primary', [dn('pim')]),
      made('Above', [group('Primary')]),
      // a circle, and a way that leads through a group which stands elsewhere
      made('Round', [group('Trip'), dn('kim')].slice(1)),
      made('Trip', [group('Round')]),
      member('add', group('Round'), group('Trip')),
      made('Bridge', [dn('robin')]).replace(`CN=Bridge,${AD_GROUPS}`, `CN=Bridge,${USERS}`),
      made('Over There', [`CN=Bridge,${USERS}`]),
    ].join(''),
  )
  const token = /^primaryGroupToken: (\d+)$/m.exec(await samba.search('(cn=Primary)', 'primaryGroupToken'))![1]!
  await samba.modify(replace(dn('pim'), 'primaryGroupID', token))
}, 240_000)
afterAll(() => samba.end())

async function open(changes: Readonly<Record<string, unknown>> = {}) {
  const house = await openHouse([samba.settings({ base_dn: AD_STAFF, group_base_dn: AD_GROUPS, ...changes })])
  onTestFinished(() => house.people.close())
  return house
}
const sync = ({ people }: Pick<TestHouse, 'people'>, options = {}) => people.sync('office', options, 'cli')
const named = async ({ people }: Pick<TestHouse, 'people'>) =>
  new Map((await people.list({ limit: 1000 })).map((person) => [person.username, person]))
const groupsOf = async (house: Pick<TestHouse, 'people'>, name: string) => (await named(house)).get(name)?.groups

const GROUPS = {
  sam: ['Everybody', 'Staff', 'Store Staff'],
  pim: ['Above', 'Everybody', 'Primary', 'Staff', 'Store Staff'],
  kim: ['Round', 'Trip'],
  off: [],
  robin: [],
} as const

test.each([
  [{}, { robin: ['Over There'] }],
  [{ groups_from: 'member_of', nested_groups: true }, {}],
  [{ group_filter: '(member={dn})', nested_groups: true }, {}],
  [
    { group_filter: '(member={dn})' },
    { sam: ['Store Staff'], pim: ['Above', 'Primary', 'Store Staff'], kim: ['Round'] },
  ],
])(
  'everybody comes as a sign-in would bring them, with groups in groups and the primary group: %j',
  async (changes, told) => {
    const house = await open(changes)
    const other = await open(changes)
    expect(await sync(house)).toMatchObject({ scope: 'all', read: 7, added: 7, failed: 0, gone: 0 })
    const here = await named(house)
    for (const [name, groups] of Object.entries({ ...GROUPS, ...told })) {
      expect(here.get(name)?.groups, name).toEqual(groups)
      const { id: _, ...asked } = (await other.people.find(name)) as Person
      const { id: __, ...synced } = here.get(name)!
      expect(synced, name).toEqual(asked)
    }
    expect((await house.people.list({ disabled: true })).map(({ username }) => username).sort()).toEqual([
      'ended',
      'off',
    ])
    expect(here.get('fresh')).toMatchObject({ disabled: false })
  },
)

/** In plain text through a way on which a list comes two values at a time. */
async function openInParts(changes: Readonly<Record<string, unknown>>, most = 2) {
  const way = await startTcpProxy({ to: samba.plain })
  onTestFinished(() => way.close())
  const url = `ldap://127.0.0.1:${way.port}`
  const house = await open({ url, ca_file: undefined, insecure_plain_text: true, ...changes })
  return { house, way, further: onlySoMany(way, most, ['member', 'memberOf', 'otherTelephone']) }
}

test.each([{}, { groups_from: 'member_of', nested_groups: true }])(
  'a list that the server gives in parts is read to its end, at a sign-in and by a sync: %j',
  async (changes) => {
    const many = Array.from({ length: 5 }, (_, i) => `many${i}`)
    const { person, group: made } = samba
    await samba.modify([...many.map((name) => person(name, PASSWORD)), made('Many', many.map(dn))].join(''))
    await samba.modify(many.map((_, i) => made(`Other ${i}`, [dn('many0')])).join(''))
    onTestFinished(async () => {
      const gone = [...many.map(dn), group('Many'), ...many.map((_, i) => group(`Other ${i}`))]
      await samba.modify(gone.map((one) => `dn: ${one}\nchangetype: delete\n\n`).join(''))
    })
    const { house, further } = await openInParts(changes)
    const told = { many0: ['Many', ...many.map((_, i) => `Other ${i}`)], many4: ['Many'] }
    for (const [name, groups] of Object.entries(told))
      expect((await house.people.find(name))?.groups, name).toEqual(groups)
    expect(further() > 0).toBe('groups_from' in changes)
    expect(await sync(house)).toMatchObject({ scope: 'all', failed: 0, gone: 0 })
    for (const [name, groups] of Object.entries(told)) expect(await groupsOf(house, name), name).toEqual(groups)
    for (const [name, groups] of Object.entries(GROUPS).filter(([name]) => name !== 'robin'))
      expect(await groupsOf(house, name), name).toEqual(groups)
    expect(further()).toBeGreaterThan(1)
  },
)

test('of a list that is cut and belongs to no group nothing is known: what was known before stays', async () => {
  const house = await open({ attributes: { other: { phones: 'otherTelephone' } } })
  await samba.modify(
    `dn: ${dn('kim')}\nchangetype: modify\nadd: otherTelephone\notherTelephone: 1\notherTelephone: 2\n\n`,
  )
  onTestFinished(() => samba.modify(`dn: ${dn('kim')}\nchangetype: modify\ndelete: otherTelephone\n\n`))
  expect((await house.people.find('kim'))?.attributes).toEqual({ phones: ['1', '2'] })
  const way = await startTcpProxy({ to: samba.plain })
  onTestFinished(() => way.close())
  const url = `ldap://127.0.0.1:${way.port}`
  const plain = { url, ca_file: undefined, insecure_plain_text: true }
  const settings = { base_dn: AD_STAFF, group_base_dn: AD_GROUPS, attributes: { other: { phones: 'otherTelephone' } } }
  const people = await house.reopen([samba.settings({ ...settings, ...plain })])
  onTestFinished(() => people.close())
  onlySoMany(way, 1, ['otherTelephone'])
  const { id } = (await people.find('kim'))!
  expect(await people.refresh(id)).toMatchObject({ attributes: { phones: ['1', '2'] } })
})

test('the whole domain, with groups everywhere, is read as well: no computers, and Domain Users for everybody', async () => {
  const house = await open({ base_dn: AD_BASE, group_base_dn: undefined })
  await sync(house)
  const other = await open({ base_dn: AD_BASE, group_base_dn: undefined })
  const here = await named(house)
  expect([...here.keys()].filter((name) => name.includes('$'))).toEqual([])
  expect(here.get('sam')?.groups).toEqual(expect.arrayContaining(['Domain Users', 'Users', 'Everybody']))
  for (const name of ['sam', 'pim', 'robin', 'Administrator'])
    expect(here.get(name)?.groups, name).toEqual((await other.people.find(name))?.groups)
})

test('then only who changed is read, by the count of the server: nobody, names, states, and whoever is in other groups', async () => {
  const house = await open()
  await sync(house)
  const before = await named(house)
  expect(await sync(house)).toMatchObject({ scope: 'changed', added: 0, changed: 0, gone: 0 })
  const ended: string[] = []
  house.people.onDisabled(async (id) => void ended.push(id))

  await samba.modify(
    replace(dn('sam'), 'displayName', 'Sam de Vries') +
      replace(dn('kim'), 'userAccountControl', 514) +
      replace(dn('off'), 'userAccountControl', 512) +
      samba.person('new', PASSWORD) +
      `dn: ${dn('robin')}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: robin.smit\n\n` +
      `dn: ${dn('robin')}\nchangetype: modrdn\nnewrdn: CN=Robin Smit\ndeleteoldrdn: 1\n\n`,
  )
  expect(await sync(house)).toMatchObject({ scope: 'changed', added: 1, changed: 4, gone: 0, failed: 0 })
  const after = await named(house)
  expect(after.get('sam')).toMatchObject({ id: before.get('sam')!.id, name: 'Sam de Vries', groups: GROUPS.sam })
  expect(after.get('kim')).toMatchObject({ id: before.get('kim')!.id, disabled: true })
  expect(after.get('off')).toMatchObject({ id: before.get('off')!.id, disabled: false })
  expect(after.get('robin.smit')).toMatchObject({ id: before.get('robin')!.id, groups: ['Over There'] })
  expect(after.get('robin')).toBeUndefined()
  expect(ended).toEqual([before.get('kim')!.id])
  expect(await house.people.verifyPassword('robin.smit', PASSWORD)).toMatchObject({ id: before.get('robin')!.id })

  // groups change under people who do not: in the middle of a chain, by a primary group, and in a group that stands elsewhere
  await samba.modify(member('delete', group('Everybody'), group('Staff')))
  await sync(house)
  expect(await groupsOf(house, 'sam')).toEqual(['Staff', 'Store Staff'])
  expect(await groupsOf(house, 'pim')).toEqual(['Above', 'Primary', 'Staff', 'Store Staff'])
  await samba.modify(member('delete', group('Above'), group('Primary')))
  await sync(house)
  expect(await groupsOf(house, 'pim')).toEqual(['Primary', 'Staff', 'Store Staff'])
  await samba.modify(member('add', `CN=Bridge,${USERS}`, dn('new')))
  expect(await sync(house)).toMatchObject({ scope: 'changed', changed: 1 })
  expect(await groupsOf(house, 'new')).toEqual(['Over There'])
  const domainUsers = /^primaryGroupToken: (\d+)$/m.exec(
    await samba.search('(cn=Domain Users)', 'primaryGroupToken'),
  )![1]!
  await samba.modify(replace(dn('pim'), 'primaryGroupID', domainUsers))
  await samba.modify(member('delete', group('Primary'), dn('pim')))
  await sync(house)
  expect(await groupsOf(house, 'pim')).toEqual(['Staff', 'Store Staff'])

  // deleted and moved away: a sync of everybody finds out, and asks for each
  await samba.modify(`dn: ${dn('new')}\nchangetype: delete\n`)
  expect(await sync(house)).toMatchObject({ scope: 'changed', gone: 0 })
  expect(await sync(house, { full: true })).toMatchObject({ scope: 'all', gone: 1, added: 0, changed: 0 })
  const gone = after.get('new')!
  expect(await house.people.byId(gone.id)).toMatchObject({ disabled: true, goneAt: house.clock.now() })
  expect(ended).toEqual([before.get('kim')!.id, gone.id])
  // the same name again is another entry, and another person
  await samba.modify(samba.person('new', PASSWORD))
  expect(await sync(house)).toMatchObject({ added: 1 })
  expect((await house.people.find('new'))?.id).not.toBe(gone.id)
})
