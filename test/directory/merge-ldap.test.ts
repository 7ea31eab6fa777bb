/** A local directory and a real OpenLDAP become one, in either direction. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readMergeRules } from '#directory'
import { type Slapd, startSlapd } from '../support/slapd.ts'
import { openHouse } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd
beforeAll(async () => {
  const people = [{ uid: 'sam', name: 'Sam of the LDAP', password: PASSWORD, mail: 'sam@kestrel.example' }]
  slapd = await startSlapd(people, { care: ['sam'] })
})
afterAll(() => slapd.end())

async function world(from: 'here' | 'ldap', home: 'from' | 'into') {
  const settings = slapd.settings({ id: 'ldap' })
  const house = await openHouse([{ id: 'here', kind: 'local' }, settings])
  const { people } = house
  const there = (await people.find('sam'))!
  const here = await people.add(
    {
      username: 'sam.jansen',
      name: 'Sam of here',
      groups: ['staff'],
      mail: 'sam@kestrel.example',
      password: 'a lamp post in the rain',
    },
    'test',
  )
  const into = from === 'here' ? 'ldap' : 'here'
  const text = `from: ${from}\ninto: ${into}\nhome: ${home}\nmatch: [mail: same]\n`
  const { plan } = await people.merging.planMerge(readMergeRules('r', text, ['here', 'ldap']), { breakGlass: [] })
  for await (const row of people.merging.merge(plan!, { breakGlass: [] }, 'cli')) expect(row.result).toBe('merged')
  const [survivor, gone] = from === 'here' ? [there.id, here.id] : [here.id, there.id]
  return { ...house, survivor, gone }
}

test.each([
  ['here', 'into'],
  ['ldap', 'from'],
] as const)('from %s, home %s: the LDAP says who they are, and its password is the only one', async (from, home) => {
  const { people, storage, survivor, gone } = await world(from, home)
  const signedIn = await people.verifyPassword('sam', PASSWORD)
  expect(signedIn).toMatchObject({
    id: survivor,
    directory: 'ldap',
    name: 'Sam of the LDAP',
    groups: ['care', 'staff'],
  })
  expect(await people.verifyPassword('sam.jansen', 'a lamp post in the rain')).toBe('wrong')
  expect(await storage.records.selectFrom('passwords').selectAll().execute()).toEqual([])
  expect(await people.byId(gone)).toBeUndefined()
  expect(await people.refresh(survivor)).toMatchObject({ id: survivor })
  expect(await people.list()).toHaveLength(1)
})

test.each([
  ['here', 'from'],
  ['ldap', 'into'],
] as const)('from %s, home %s: here says who they are, and both passwords are theirs', async (from, home) => {
  const { people, survivor } = await world(from, home)
  for (const [username, password] of [
    ['sam', PASSWORD],
    ['sam.jansen', 'a lamp post in the rain'],
  ] as const) {
    const signedIn = await people.verifyPassword(username, password)
    expect(signedIn, username).toMatchObject({ id: survivor, directory: 'here', name: 'Sam of here' })
    expect(signedIn).toMatchObject({ groups: ['care', 'staff'] })
  }
  expect(await people.identities(survivor)).toMatchObject([{ directory: 'ldap', linkedBy: 'cli' }])
  expect(await people.list()).toHaveLength(1)
  // what the LDAP says goes with the account there, and nothing else does
  await people.unlink(survivor, 'ldap', 'cli')
  expect((await people.byId(survivor))?.groups).toEqual(['staff'])
})
