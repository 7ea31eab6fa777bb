/** Groups in groups, many groups, other names for groups: on a server that knows nothing of groups in groups. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { watchLdap } from '../support/ldap-requests.ts'
import { BASE, type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
const GROUPS = `ou=groups,${BASE}`
const group = (name: string) => `cn=${name},${GROUPS}`
const MANY = 1100
let slapd: Slapd

beforeAll(async () => {
  const chain = Array.from(
    { length: 12 },
    (_, i) => [`level ${i + 1}`, [i === 0 ? 'deep' : group(`level ${i}`)]] as const,
  )
  const many = Array.from({ length: MANY }, (_, i) => [`many ${i}`, ['busy']] as const)
  slapd = await startSlapd(
    [
      { uid: 'sam', name: 'Sam Jansen', password: PASSWORD },
      { uid: 'deep', name: 'Deep Down', password: PASSWORD },
      { uid: 'busy', name: 'Busy Bee', password: PASSWORD },
      { uid: 'round', name: 'Round Robin', password: PASSWORD },
    ],
    {
      'store 1': ['sam'],
      stores: [group('store 1'), group('store 2')],
      'store 2': ['kim'],
      staff: [group('stores'), group('store 1')],
      // round in a circle, and one that holds itself
      'ring a': ['round', group('ring c')],
      'ring b': [group('ring a')],
      'ring c': [group('ring b'), group('ring c')],
      ...Object.fromEntries(chain),
      ...Object.fromEntries(many),
    },
    {
      database:
        'limits dn.exact="cn=portico,dc=kestrel,dc=example" size.hard=unlimited size.soft=unlimited size.prtotal=unlimited',
    },
  )
}, 30_000)
afterAll(() => slapd.end())

async function open(changes: Partial<LdapSettings> = {}) {
  const house = await openHouse([slapd.settings(changes)])
  onTestFinished(() => house.people.close())
  return house
}
const nested = (groups: Partial<LdapSettings['groups']> = {}): Partial<LdapSettings> => ({
  nested_groups: true,
  groups: { map: {}, most: 1000, depth: 10, ...groups },
})

test('groups in groups count where the settings say so, each once, and only then', async () => {
  expect((await (await open()).people.find('sam'))?.groups).toEqual(['store 1'])
  expect((await (await open(nested())).people.find('sam'))?.groups).toEqual(['staff', 'store 1', 'stores'])
})

test('groups round in a circle end', async () => {
  const { people } = await open(nested())
  expect((await people.find('round'))?.groups).toEqual(['ring a', 'ring b', 'ring c'])
})

test('each level is one request, however many groups are in it', async () => {
  const way = await startTcpProxy({ to: slapd.port })
  onTestFinished(() => way.close())
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true }
  const { people } = await open({ ...plain, ...nested() })
  await people.find('sam')
  const traffic = watchLdap(way)
  const sam = (await people.find('sam'))!
  await people.refresh(sam.id)
  // the person, store 1, stores and staff, what staff is in
  expect(traffic().requests).toEqual(['search', 'search', 'search', 'search'])
})

test('deeper than allowed the groups are unknown, not cut; and what was known stays', async () => {
  const { people, said, reopen } = await open(nested({ depth: 12 }))
  const all = Array.from({ length: 12 }, (_, i) => `level ${i + 1}`).sort()
  const deep = (await people.find('deep'))!
  expect(deep.groups).toEqual(all)
  const shallow = await reopen([slapd.settings(nested({ depth: 10 }))])
  expect(await shallow.refresh(deep.id)).toMatchObject({ groups: all })
  expect(said.join('\n')).toContain('group-limit')
  expect((await (await open(nested({ depth: 10 }))).people.find('deep'))?.groups).toBeUndefined()
  // exactly as deep as allowed is not too deep
  expect((await (await open(nested({ depth: 11 }))).people.find('deep'))?.groups).toEqual(all)
})

test('more groups than allowed are unknown; exactly as many are all known, and nobody else is concerned', async () => {
  const most = (number: number) => ({ groups: { map: {}, most: number, depth: 10 } })
  const few = await open(most(MANY - 1))
  expect((await few.people.find('busy'))?.groups).toBeUndefined()
  expect((await few.people.find('sam'))?.groups).toEqual(['store 1'])
  // the password is right all the same
  expect(await few.people.verifyPassword('busy', PASSWORD)).toMatchObject({ name: 'Busy Bee', groups: undefined })
  expect(few.said.join('\n')).toContain('group-limit')
  const { people } = await open(most(MANY))
  expect((await people.find('busy'))?.groups).toHaveLength(MANY)
})

test('a server that tells only some of the groups leaves them unknown', async () => {
  const server = await startSlapd(
    [{ uid: 'sam', name: 'Sam Jansen', password: PASSWORD }],
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`group ${i}`, ['sam']])),
    { database: 'sizelimit 30' },
  )
  onTestFinished(() => server.end())
  const { people, said } = await openHouse([server.settings()])
  onTestFinished(() => people.close())
  expect((await people.find('sam'))?.groups).toBeUndefined()
  expect(said.join('\n')).toContain('ldap-4')
})

test('thousands of groups are not read to the end when they are too many', async () => {
  const way = await startTcpProxy({ to: slapd.port })
  onTestFinished(() => way.close())
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true }
  const { people } = await open({ ...plain, groups: { map: {}, most: 100, depth: 10 } })
  await people.find('sam')
  let bytes = 0
  way.watch((data, direction) => {
    if (direction === 'to-client') bytes += data.length
  })
  expect((await people.find('busy'))?.groups).toBeUndefined()
  // one page of them
  expect(bytes).toBeLessThan(60_000)
})

test('a sign-in waits for the directory twice: for the search, then for the bind beside the groups', async () => {
  const way = await startTcpProxy({ to: slapd.port })
  onTestFinished(() => way.close())
  const { people } = await open({ url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true })
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  way.delay(30)
  const traffic = watchLdap(way)
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ groups: ['store 1'] })
  const { requests, roundTrips } = traffic()
  expect([...requests].sort()).toEqual(['bind', 'search', 'search'])
  expect(roundTrips).toBe(2)
})

test('with `groups_from: member_of` the groups come with the person, and level by level above them', async () => {
  const server = await startSlapd(
    [
      { uid: 'sam', name: 'Sam Jansen', password: PASSWORD },
      { uid: 'kim', name: 'Kim', password: PASSWORD },
    ],
    {},
    { modules: 'moduleload memberof', database: 'overlay memberof' },
  )
  onTestFinished(() => server.end())
  const made = (dn: string, member: string, lines = '') =>
    `dn: ${dn}\nchangetype: add\nobjectClass: groupOfNames\n${lines}member: ${member}\n\n`
  await server.modify(
    made(group('store 1'), server.dn('sam')) +
      made(`cn=odd\\2c name\\3d,${GROUPS}`, server.dn('sam')) +
      made(group('stores'), group('store 1')) +
      made(group('staff'), group('stores')) +
      // round in a circle
      `dn: ${group('store 1')}\nchangetype: modify\nadd: member\nmember: ${group('staff')}\n\n` +
      // not where groups are searched
      made(`cn=elsewhere,ou=people,${BASE}`, server.dn('sam')) +
      // named by another attribute than the one that counts
      made(`description=by description,${GROUPS}`, server.dn('sam'), 'cn: by name\ndescription: by description\n'),
  )
  const way = await startTcpProxy({ to: server.port })
  onTestFinished(() => way.close())
  const settings = (changes: Partial<LdapSettings>) => [
    server.settings({
      url: `ldap://127.0.0.1:${way.port}`,
      insecure_plain_text: true,
      groups_from: 'member_of',
      // written otherwise than the server writes it
      group_base_dn: `OU=Groups, ${BASE}`,
      ...changes,
    }),
  ]
  const { people, reopen } = await openHouse(settings({}))
  onTestFinished(() => people.close())
  const traffic = watchLdap(way)
  expect(await people.find('sam')).toMatchObject({ groups: ['by name', 'odd, name=', 'store 1'] })
  // the bind of the service account, the person, and the one group whose name its DN does not say
  expect(traffic().requests).toEqual(['bind', 'search', 'search'])
  expect(await people.find('kim')).toMatchObject({ groups: [] })
  const above = await reopen(settings({ nested_groups: true }))
  onTestFinished(() => above.close())
  const sam = (await people.find('sam'))!
  expect(await above.refresh(sam.id)).toMatchObject({
    groups: ['by name', 'odd, name=', 'staff', 'store 1', 'stores'],
  })
  // more than allowed
  const few = await openHouse(settings({ nested_groups: true, groups: { map: {}, most: 3, depth: 10 } }))
  onTestFinished(() => few.people.close())
  expect((await few.people.find('sam'))?.groups).toBeUndefined()
  expect(few.said.join('\n')).toContain('group-limit')
})

test.each([
  [{ only: ['store*'] }, ['store 1', 'stores']],
  [{ only: ['STORE ?', 'Staff'] }, ['staff']],
  [{ only: [`CN=*, OU=Groups,${BASE}`] }, ['staff', 'store 1', 'stores']],
  [{ only: [`cn=*1,ou=groups,${BASE}`] }, ['store 1']],
  [{ only: [`cn=store  1,ou=groups,${BASE}`] }, ['store 1']],
  [{ only: ['*ore*1', 's*t*f*f', 'stores*s', '*res*es', '*t*t*t*'] }, ['staff', 'store 1']],
  [{ only: [] }, []],
  [
    { map: { 'Store 1': ['shop-floor'], [`CN=Staff , ou=groups,${BASE}`]: ['everybody', 'all'] } },
    ['all', 'everybody', 'shop-floor', 'stores'],
  ],
  [{ map: { stores: ['shop-floor'], 'store 1': ['shop-floor'] }, only: ['nothing'] }, ['shop-floor']],
  // a name is no DN, and a part of a name is no name
  [
    {
      map: { store: ['shop-floor'], 'cn=staff': ['everybody'] },
      only: ['stor', 'cn=staff', 'ou=groups,dc=kestrel,dc=example'],
    },
    [],
  ],
])('groups are taken and named as the settings say: %j', async (groups, wanted) => {
  const { people } = await open(nested(groups as object))
  expect((await people.find('sam'))?.groups).toEqual(wanted)
})

test.each(['administrators', 'Administrators', 'ádministrators', '', ' staff', 'a\nb', 'x'.repeat(65)])(
  'no group becomes %j by its settings',
  async (to) => {
    expect(await refusalOf(open({ groups: { map: { staff: ['fine', to] }, most: 1000, depth: 10 } }))).toBe(
      'settings-invalid',
    )
  },
)
