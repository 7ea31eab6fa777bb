/** Bytes in names that are no UTF-8 (RFC 4511 §4.1.2 wants it; slapd stores none, so they are changed on their way). */
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Person } from '#directory'
import { BASE, type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, type TestHouse } from './house.ts'

const PASSWORD = 'correct horse'
let slapd: Slapd
let way: TcpProxy
let house: TestHouse
let people: TestHouse['people']

beforeAll(async () => {
  slapd = await startSlapd(
    [
      { uid: ['sam', 'säm'], name: 'Sam Jansen', password: PASSWORD, lines: ['displayName: Jürgen'] },
      { uid: 'kim', name: 'Kim', password: PASSWORD, lines: ['displayName: Kim'] },
      { uid: 'zoë', name: 'Zoë', password: PASSWORD },
      { uid: ['noël', 'noel'], name: 'Noël' },
      { uid: ['o\ufffd', 'odd'], name: 'Odd' },
    ],
    {},
    { modules: 'moduleload memberof', database: 'overlay memberof' },
  )
  const group = (name: string, ...members: string[]) =>
    `dn: cn=${name},ou=groups,${BASE}\nchangetype: add\nobjectClass: groupOfNames\n${members.map((uid) => `member: uid=${uid},ou=people,${BASE}\n`).join('')}\n`
  await slapd.modify(
    group('staff', 'kim', 'sam', 'zoë', 'noël', 'o\ufffd') + group('büro', 'kim') + group('care', 'kim', 'sam'),
  )
  way = await startTcpProxy({ to: slapd.port })
})
afterEach(() => way.restore())
afterAll(async () => {
  await way.close()
  await slapd.end()
})

async function open(changes: Partial<LdapSettings> = {}) {
  const attributes = { ...slapd.settings().attributes, name: 'displayName' }
  const url = `ldap://127.0.0.1:${way.port}`
  house = await openHouse([slapd.settings({ url, insecure_plain_text: true, attributes, ...changes })])
  people = house.people
  onTestFinished(() => people.close())
}

/** As a server says it that has these letters in Latin-1 somewhere: of the same length, so that the message stays one. */
const spoil = (letter: 'ä' | 'ë' | 'ü') =>
  way.garble((data, direction) => {
    const latin = Buffer.from(letter, 'latin1').toString('latin1')
    const said = data.toString('latin1').replaceAll(Buffer.from(letter).toString('latin1'), latin + latin)
    return direction === 'to-client' ? Buffer.from(said, 'latin1') : data
  })
const sync = (options = {}) => people.sync('staff', options, 'cli')
const named = async () => new Map((await people.list({ limit: 10 })).map((one) => [one.username, one]))

test('a name to be shown is left out, and the next best taken', async () => {
  await open()
  spoil('ü')
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam', name: 'Sam Jansen' })
  await sync()
  expect((await named()).get('sam')?.name).toBe('Sam Jansen')
  expect((await people.test('staff', 'sam')).find(({ step }) => step === 'person')).toMatchObject({
    ok: false,
    fix: expect.stringContaining('displayName'),
  })
  way.restore()
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ name: 'Jürgen' })
  expect((await people.test('staff', 'sam')).every(({ ok }) => ok)).toBe(true)
})

test('a user name that can be read counts beside one that cannot', async () => {
  await open()
  spoil('ä')
  const sam = (await people.verifyPassword('sam', PASSWORD)) as Person
  expect(sam).toMatchObject({ username: 'sam', name: 'Jürgen', groups: ['care', 'staff'] })
  expect(await sync()).toMatchObject({ read: 5, failed: 0 })
  expect((await named()).get('sam')).toMatchObject({ id: sam.id, name: 'Jürgen' })
})

test('whoever has no user name that can be read is not gone, keeps what is known, and stops nobody else', async () => {
  await open()
  await sync()
  const before = await named()
  spoil('ë')
  house.clock.pass(60_000)
  expect(await sync({ full: true })).toMatchObject({ scope: 'all', read: 5, failed: 1, gone: 0 })
  const after = await named()
  for (const name of ['sam', 'kim', 'zoë']) expect(after.get(name)).toEqual(before.get(name))
  way.restore()
  expect(await people.verifyPassword('zoë', PASSWORD)).toMatchObject({ id: before.get('zoë')!.id, groups: ['staff'] })
})

test('a member of a group that cannot be read hides none of the others', async () => {
  await open()
  spoil('ë')
  await sync()
  const all = await named()
  expect(['sam', 'kim'].map((name) => all.get(name)?.groups)).toEqual([
    ['care', 'staff'],
    ['büro', 'care', 'staff'],
  ])
})

test('whoever has a place that cannot be read is in groups that nobody knows, and not in none', async () => {
  await open()
  spoil('ë')
  const noel = (await people.find('noel'))!
  expect(noel).toMatchObject({ username: 'noel', name: 'noel' })
  expect(noel.groups).toBeUndefined()
  expect(await sync()).toMatchObject({ read: 5, failed: 1 })
  expect((await people.byId(noel.id))?.groups).toBeUndefined()
  expect((await people.test('staff', 'noel')).at(-1)).toMatchObject({ ok: false, say: expect.any(String) })
})

test('a place with a letter in it that stands for such bytes elsewhere is one like others', async () => {
  await open()
  await sync()
  expect((await named()).get('o\ufffd')?.groups).toEqual(['staff'])
  expect((await people.find('odd'))?.groups).toEqual(['staff'])
})

test('a group that stands in the entry of a person and cannot be read leaves theirs unknown, and those of others told', async () => {
  await open({ groups_from: 'member_of' })
  spoil('ü')
  expect(await people.find('kim')).toMatchObject({ groups: undefined })
  expect(house.said.join('\n')).toContain('directory-groups-unknown')
  expect(await sync()).toMatchObject({ read: 5, failed: 0 })
  expect((await named()).get('kim')).toMatchObject({ groups: undefined })
  expect((await named()).get('sam')?.groups).toEqual(['care', 'staff'])
  way.restore()
  await sync({ full: true })
  const known = ['büro', 'care', 'staff']
  expect((await named()).get('kim')?.groups).toEqual(known)
  // what was known stays
  spoil('ü')
  await sync({ full: true })
  expect((await named()).get('kim')?.groups).toEqual(known)
})
