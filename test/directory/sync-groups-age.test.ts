/** How old a directory's word about somebody's groups is, while it is down: completed syncs count, and no others. */
import { expect, onTestFinished, test } from 'vitest'
import type { Person } from '#directory'
import { BASE, type LdapSettings, type SlapdPerson, startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, refusalOf } from './house.ts'

const PASSWORD = 'correct horse'
const HOUR = 3_600_000
const DEGRADED = {
  verified_within: '24h',
  devices: ['known'],
  tiers: ['standard'],
  for: '4h',
} satisfies LdapSettings['degraded']

const others = (count: number): SlapdPerson[] =>
  Array.from({ length: count }, (_, i) => ({
    uid: `user${i}`,
    name: `Person Number${i}`,
    changed: `2024010200${String(i % 60).padStart(2, '0')}00Z`,
  }))

/** Sam and Kim signed in, and an hour later everybody was read. */
async function open(changes: Partial<LdapSettings> = {}) {
  const slapd = await startSlapd(
    [
      { uid: 'sam', name: 'Sam', password: PASSWORD, changed: '20240101000000Z' },
      { uid: 'kim', name: 'Kim', password: PASSWORD, changed: '20240101000000Z' },
      ...others(600),
    ],
    { staff: ['sam', 'kim'], care: ['sam'] },
    { modules: 'moduleload memberof', database: 'overlay memberof' },
  )
  const way = await startTcpProxy({ to: slapd.port })
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '1s' }
  const house = await openHouse([slapd.settings({ ...plain, degraded: DEGRADED, ...changes })])
  onTestFinished(async () => {
    house.people.close()
    await way.close()
    await slapd.end()
  })
  const { people, clock } = house
  const start = clock.now()
  const signIn = async (name: string) => (await people.verifyPassword(name, PASSWORD)) as Person
  const sync = (options = {}) => people.sync('staff', options, 'cli')
  const both = [await signIn('sam'), await signIn('kim')]
  clock.pass(HOUR)
  await sync()
  return {
    ...{ ...house, slapd, signIn, sync },
    /** Hours after the start, of Sam and Kim; the directory is down from here on. */
    async ages(): Promise<(number | undefined)[]> {
      way.cut()
      // whoever comes finds out
      await people.verifyPassword('nobody', PASSWORD).catch(() => {})
      expect(people.states()).toMatchObject([{ id: 'staff', since: expect.any(Number) }])
      const standing = await Promise.all(both.map((person) => people.standing(person)))
      return standing.map(({ outage }) => outage?.groupsAt && (outage.groupsAt - start) / HOUR)
    },
  }
}

test('a sync that finds nobody changed tells the groups of everybody anew', async () => {
  const { clock, sync, ages, storage } = await open()
  clock.pass(2 * HOUR)
  const rows = () =>
    storage.records
      .selectFrom('people')
      .select(['username', 'changed_at', 'groups_at'] as never)
      .execute()
  const before = await rows()
  expect(await sync()).toMatchObject({ scope: 'changed', changed: 0 })
  // and writes nothing about each of them
  expect(await rows()).toEqual(before)
  expect(await ages()).toEqual([3, 3])
})

test.each<[string, (opened: Awaited<ReturnType<typeof open>>) => Promise<string>, string]>([
  [
    'stopped after the first of its chunks',
    async ({ sync }) => {
      const stop = new AbortController()
      return refusalOf(
        sync({ full: true, signal: stop.signal, progress: ({ read }: { read: number }) => read > 0 && stop.abort() }),
      )
    },
    'sync-stopped',
  ],
  [
    'that was not believed',
    async ({ sync, slapd }) => {
      const gone = others(90).map(({ uid }) => `dn: ${slapd.dn(uid as string)}\nchangetype: delete\n\n`)
      await slapd.modify(gone.join(''))
      return refusalOf(sync({ full: true }))
    },
    'sync-doubtful',
  ],
  [
    'that could not begin',
    async ({ sync, slapd }) => {
      await slapd.stop()
      return refusalOf(sync())
    },
    'directory-unavailable',
  ],
  ['that was only tried', ({ sync }) => refusalOf(sync({ full: true, dryRun: true })), 'no refusal'],
])('a sync %s tells nobody’s groups anew', async (_, fail, code) => {
  const opened = await open()
  opened.clock.pass(2 * HOUR)
  expect(await fail(opened)).toBe(code)
  expect(await opened.ages()).toEqual([1, 1])
})

test('where groups are not read, an incremental sync says nothing about them; one that read everybody does', async () => {
  const memberOf = { groups_from: 'member_of' } as const
  const opened = await open(memberOf)
  opened.clock.pass(HOUR)
  // a group changes under somebody who does not
  await opened.slapd.modify(
    `dn: cn=care,ou=groups,${BASE}\nchangetype: modify\nadd: member\nmember: ${opened.slapd.dn('kim')}\n`,
  )
  expect(await opened.sync()).toMatchObject({ scope: 'changed' })
  expect(await opened.ages()).toEqual([1, 1])
  const full = await open(memberOf)
  full.clock.pass(HOUR)
  expect(await full.sync({ full: true })).toMatchObject({ scope: 'all' })
  expect(await full.ages()).toEqual([2, 2])
})

test('whose groups are more than the settings allow keeps the age of what is known, until they can be told again', async () => {
  const groups = { map: {}, most: 2, depth: 10 }
  for (const [again, age] of [
    [false, 1],
    [true, 3],
  ] as const) {
    const opened = await open({ groups })
    const { clock, slapd, sync, ages, people } = opened
    clock.pass(HOUR)
    const third = `cn=third,ou=groups,${BASE}`
    await slapd.modify(
      `dn: ${third}\nchangetype: add\nobjectClass: groupOfNames\ncn: third\nmember: ${slapd.dn('sam')}\n`,
    )
    expect(await sync()).toMatchObject({ scope: 'changed', changed: 0 })
    expect((await people.find('sam'))?.groups).toEqual(['care', 'staff'])
    if (again) await slapd.modify(`dn: ${third}\nchangetype: delete\n`)
    clock.pass(HOUR)
    await sync()
    expect(await ages()).toEqual([age, 3])
  }
})

test('who signed in after the last sync was told of later, and somebody whom no sync has read is as old as the sign-in', async () => {
  const { clock, signIn, ages, storage } = await open()
  clock.pass(HOUR)
  await signIn('sam')
  const rows = storage.records.withTables<{ directory_synced: { person_id: string } }>()
  const kim = await signIn('kim')
  await rows.deleteFrom('directory_synced').where('person_id', '=', kim.id).execute()
  expect(await ages()).toEqual([2, 2])
})

test('somebody whose name is another’s by now is read and not written: nothing about their groups is new', async () => {
  const { clock, slapd, sync, ages } = await open()
  clock.pass(HOUR)
  await slapd.modify(
    `dn: ou=stores,ou=people,${BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: stores\n\n` +
      `dn: ${slapd.dn('kim')}\nchangetype: modrdn\nnewrdn: uid=sam\ndeleteoldrdn: 1\nnewsuperior: ou=stores,ou=people,${BASE}\n\n` +
      `dn: ${slapd.dn('sam')}\nchangetype: modify\nreplace: sn\nsn: Else\n`,
  )
  expect(await sync()).toMatchObject({ failed: 1 })
  const [sam, kim] = await ages()
  expect([sam, kim].sort()).toEqual([1, 2])
})
