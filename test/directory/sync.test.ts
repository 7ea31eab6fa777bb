import { expect, onTestFinished, test } from 'vitest'
import type { Directory } from '#config'
import { BASE, type LdapSettings, type Slapd, type SlapdPerson, startSlapd } from '../support/slapd.ts'
import { openHouse, refusalOf, type TestHouse } from './house.ts'

const PASSWORD = 'correct horse'
/** Long enough that everything of before is certainly over. */
const LATER = 3 * 60_000

async function serve(people: readonly SlapdPerson[], groups: Readonly<Record<string, readonly string[]>> = {}) {
  const slapd = await startSlapd(people, groups)
  onTestFinished(() => slapd.end())
  return slapd
}

const many = (count: number): SlapdPerson[] =>
  Array.from({ length: count }, (_, i) => ({
    uid: `user${i}`,
    name: `Person Number${i}`,
    password: PASSWORD,
    changed: hour(i),
  }))

/** As a directory has them that was not filled a second ago. */
const hour = (i: number): string =>
  `${new Date(Date.UTC(2024, 0, 2, i)).toISOString().slice(0, 19).replace(/\D/g, '')}Z`

const sync = ({ people }: Pick<TestHouse, 'people'>, options = {}) => people.sync('staff', options, 'cli')
const named = async ({ people }: TestHouse) => {
  const all = await people.list({ limit: 1000 })
  return new Map(all.map((person) => [person.username, person]))
}

const replace = (dn: string, attribute: string, value: string) =>
  `dn: ${dn}\nchangetype: modify\nreplace: ${attribute}\n${attribute}: ${value}\n\n`
const member = (what: 'add' | 'delete', group: string, dn: string) =>
  `dn: cn=${group},ou=groups,${BASE}\nchangetype: modify\n${what}: member\nmember: ${dn}\n\n`
const remove = (dn: string) => `dn: ${dn}\nchangetype: delete\n\n`

test('everybody comes over as a sign-in would bring them, with one pass over the groups', async () => {
  const slapd = await serve(
    [
      { uid: 'sam', name: 'Sam Jansen', mail: 'sam@kestrel.example', language: 'nl', password: PASSWORD },
      { uid: ['many', 'names'], name: 'Many Names', password: PASSWORD },
      { uid: 'comma, (star*) \\ "', name: 'Odd Characters', password: PASSWORD },
      { uid: 'zoë+x;#1', name: 'Zoë', password: PASSWORD },
      { uid: 'alone', name: 'In No Group', password: PASSWORD },
      ...many(300),
    ],
    {
      staff: ['sam', 'many', 'comma, (star*) \\ "', 'zoë+x;#1', ...many(300).map(({ uid }) => uid as string)],
      'odd, (name*)': ['comma, (star*) \\ "', 'zoë+x;#1'],
      administrators: ['sam'],
      // groups in groups count no more than they do at a sign-in
      outer: ['user1', `cn=staff,ou=groups,${BASE}`],
    },
  )
  const house = await openHouse([slapd.settings()])
  const other = await openHouse([slapd.settings()])
  expect(await sync(house)).toMatchObject({ scope: 'all', read: 305, added: 305, changed: 0, gone: 0, failed: 0 })
  const here = await named(house)
  expect(here.size).toBe(305)
  for (const username of ['sam', 'many', 'comma, (star*) \\ "', 'zoë+x;#1', 'alone', 'user1', 'user299']) {
    const { id: _, ...asked } = (await other.people.verifyPassword(username, PASSWORD)) as { id: string }
    const { id: __, ...synced } = here.get(username)!
    expect(synced, username).toEqual(asked)
  }
  expect(here.get('user1')?.groups).toEqual(['outer', 'staff'])
  expect(here.get('sam')?.groups).toEqual(['staff'])
  expect(here.get('alone')?.groups).toEqual([])
  expect(await house.people.verifyPassword('names', PASSWORD)).toMatchObject({ id: here.get('many')!.id })
  expect(await house.audit.search({ event: 'person-added', limit: 1000 })).toHaveLength(305)
  expect(await house.audit.search({ event: 'directory-synced' })).toMatchObject([
    { actor: 'cli', count: 305, reason: 'staff/all/read=305/added=305/changed=0/unchanged=0/gone=0/failed=0' },
  ])
})

test('after that only who changed is read: names, new people, and whoever was put into a group or taken out', async () => {
  const slapd = await serve(many(400), { staff: ['user1', 'user2'], care: ['user3'], temps: ['user4', 'user5'] })
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const before = await named(house)
  // what was written in the last seconds is looked at again until they are over
  house.clock.pass(LATER)
  await sync(house)
  expect(await sync(house)).toMatchObject({ scope: 'changed', read: 0, added: 0, changed: 0, unchanged: 0 })

  await slapd.modify(
    replace(slapd.dn('user7'), 'cn', 'Another Name') +
      `dn: uid=new,ou=people,${BASE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\ncn: New\nsn: New\n\n` +
      member('add', 'staff', slapd.dn('user8')) +
      member('delete', 'staff', slapd.dn('user1')) +
      remove(`cn=temps,ou=groups,${BASE}`) +
      `dn: cn=care,ou=groups,${BASE}\nchangetype: modrdn\nnewrdn: cn=help\ndeleteoldrdn: 1\n\n`,
  )
  // user7 and new by themselves; user1, 3, 4, 5 and 8 because of groups
  expect(await sync(house)).toMatchObject({ scope: 'changed', read: 7, added: 1, changed: 6, gone: 0, failed: 0 })
  const after = await named(house)
  expect(after.get('user7')).toMatchObject({ id: before.get('user7')!.id, name: 'Another Name' })
  expect(after.get('new')).toMatchObject({ name: 'New', groups: [] })
  const groups = ['user1', 'user2', 'user3', 'user4', 'user5', 'user8'].map((name) => after.get(name)?.groups?.join())
  expect(groups).toEqual(['', 'staff', 'help', '', '', 'staff'])
  const regrouped = await house.audit.search({ event: 'group-changed' })
  expect(regrouped.map(({ subject }) => subject).sort()).toEqual(
    ['user1', 'user3', 'user4', 'user5', 'user8'].map((name) => before.get(name)!.id).sort(),
  )
})

test('nothing of one and the same second is lost, however often it is written and read', async () => {
  const slapd = await serve(many(3), { staff: ['user0'] })
  const house = await openHouse([slapd.settings()])
  await sync(house)
  for (let i = 0; i < 8; i++) {
    await slapd.modify(
      replace(slapd.dn('user1'), 'cn', `Name ${i}`) +
        member(i % 2 === 0 ? 'add' : 'delete', 'staff', slapd.dn('user2')),
    )
    expect(await sync(house)).toMatchObject({ scope: 'changed' })
    const now = await named(house)
    expect([now.get('user1')?.name, now.get('user2')?.groups]).toEqual([`Name ${i}`, i % 2 === 0 ? ['staff'] : []])
  }
})

test('who is gone is found by a full sync only; it ends what they had, and they come back as the same person', async () => {
  const slapd = await serve(many(30), { staff: ['user1', 'user2'] })
  await slapd.modify(`dn: ou=left,${BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: left\n`)
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const before = await named(house)
  const ended: string[] = []
  house.people.onDisabled(async (id) => {
    // whoever asks while this goes on is refused already
    expect(await house.people.byId(id)).toMatchObject({ disabled: true })
    ended.push(id)
  })
  const [one, two] = ['user1', 'user2'].map((name) => before.get(name)!.id)
  await slapd.modify(
    `dn: ${slapd.dn('user1')}\nchangetype: modrdn\nnewrdn: uid=user1\ndeleteoldrdn: 0\nnewsuperior: ou=left,${BASE}\n\n${remove(slapd.dn('user2'))}`,
  )
  expect(await sync(house)).toMatchObject({ scope: 'changed', gone: 0 })
  expect(ended).toEqual([])

  expect(await sync(house, { full: true, dryRun: true })).toMatchObject({ scope: 'all', gone: 2, unchanged: 28 })
  expect(ended).toEqual([])
  house.clock.pass(1000)
  expect(await sync(house, { full: true })).toMatchObject({ scope: 'all', gone: 2, unchanged: 28 })
  expect(ended.sort()).toEqual([one, two].sort())
  expect(await house.people.byId(one!)).toMatchObject({ disabled: true, goneAt: house.clock.now(), username: 'user1' })
  expect((await house.people.list({ disabled: true })).map(({ id }) => id).sort()).toEqual([one, two].sort())
  expect(await house.people.list({ disabled: false })).toHaveLength(28)
  expect(await house.people.verifyPassword('user1', PASSWORD)).toBe('wrong')
  expect((await house.audit.search({ event: 'person-gone' })).map(({ subject }) => subject).sort()).toEqual(
    [one, two].sort(),
  )
  // once is enough
  expect(await sync(house, { full: true })).toMatchObject({ gone: 0, unchanged: 28 })
  expect(ended).toHaveLength(2)
  // being switched on here does not make them exist there
  await house.people.enable(one!, 'cli')
  expect(await house.people.byId(one!)).toMatchObject({ disabled: true })

  await slapd.modify(
    `dn: uid=user1,ou=left,${BASE}\nchangetype: modrdn\nnewrdn: uid=user1\ndeleteoldrdn: 0\nnewsuperior: ou=people,${BASE}\n`,
  )
  expect(await sync(house, { full: true })).toMatchObject({ changed: 1, unchanged: 28, gone: 0 })
  const back = await house.people.byId(one!)
  expect(back).toMatchObject({ id: one, disabled: false })
  expect(back).not.toHaveProperty('goneAt')
  expect(await house.people.verifyPassword('user1', PASSWORD)).toMatchObject({ id: one })
})

test('somebody who is gone comes back by signing in, and is out while the directory is down', async () => {
  const slapd = await serve(many(10))
  await slapd.modify(`dn: ou=left,${BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: left\n`)
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const move = (from: string, to: string) =>
    slapd.modify(
      `dn: uid=user1,ou=${from},${BASE}\nchangetype: modrdn\nnewrdn: uid=user1\ndeleteoldrdn: 0\nnewsuperior: ou=${to},${BASE}\n`,
    )
  const { id } = (await named(house)).get('user1')!
  await move('people', 'left')
  await sync(house, { full: true })
  await slapd.stop()
  // with a passkey, they would otherwise come in as long as nobody can be asked
  expect(await house.people.refresh(id)).toMatchObject({ id, disabled: true })
  await slapd.start()
  house.clock.pass(LATER)
  await move('left', 'people')
  expect(await house.people.verifyPassword('user1', PASSWORD)).toMatchObject({ id, disabled: false })
})

test('after a day everybody is read, without being told', async () => {
  const slapd = await serve(many(20))
  const house = await openHouse([slapd.settings()])
  await sync(house)
  await slapd.modify(remove(slapd.dn('user3')))
  house.clock.pass(23 * 3_600_000)
  expect(await sync(house)).toMatchObject({ scope: 'changed', gone: 0 })
  house.clock.pass(2 * 3_600_000)
  expect(await sync(house)).toMatchObject({ scope: 'all', gone: 1 })
})

test('a directory that suddenly misses more people than the settings allow is not believed', async () => {
  const slapd = await serve(many(50))
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const ended: string[] = []
  house.people.onDisabled(async (id) => void ended.push(id))
  await slapd.modify(
    many(6)
      .map(({ uid }) => remove(slapd.dn(uid as string)))
      .join(''),
  )
  expect(await refusalOf(sync(house, { full: true }))).toBe('sync-doubtful')
  expect(await refusalOf(sync(house, { full: true, dryRun: true }))).toBe('sync-doubtful')
  expect([ended, await house.people.list({ disabled: true })]).toEqual([[], []])
  expect(await house.audit.search({ event: 'directory-sync-failed' })).toMatchObject([
    { reason: 'staff/sync-doubtful' },
  ])
  const report = await sync(house, { full: true, mostGone: 12 })
  expect(report).toMatchObject({ gone: 6, resumed: true })
  expect(ended).toHaveLength(6)
})

test.each<[string, (slapd: Slapd) => Promise<Partial<LdapSettings>>, string]>([
  [
    'nobody at all where people are searched',
    async (slapd) => {
      await slapd.modify(`dn: ou=empty,${BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: empty\n`)
      return { base_dn: `ou=empty,${BASE}` }
    },
    'sync-doubtful',
  ],
  [
    'a filter that finds nobody',
    async () => ({ user_filter: '(&(objectClass=device)(uid={username}))' }),
    'sync-doubtful',
  ],
  ['no groups at all', async () => ({ group_filter: '(&(objectClass=device)(member={dn}))' }), 'directory-unavailable'],
  ['no place for groups', async () => ({ group_base_dn: `ou=nowhere,${BASE}` }), 'directory-unavailable'],
  ['no place for people', async () => ({ base_dn: `ou=nowhere,${BASE}` }), 'directory-unavailable'],
])('an empty answer is never taken for "nobody" or "no groups": %s', async (_, change, code) => {
  const slapd = await serve(many(2), { staff: ['user0', 'user1'] })
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const changed = await house.reopen([slapd.settings(await change(slapd))] as Directory[])
  expect(await refusalOf(sync({ people: changed }))).toBe(code)
  for (const person of (await named(house)).values())
    expect(person).toMatchObject({ disabled: false, groups: ['staff'] })
})

test('what only we know stays: groups given here, who was switched off here', async () => {
  const slapd = await serve(many(5), { staff: ['user1'] })
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const { id } = (await named(house)).get('user1')!
  await house.people.addToGroup(id, 'testers', 'cli')
  await house.people.disable(id, 'cli')
  await slapd.modify(replace(slapd.dn('user1'), 'cn', 'Another') + member('add', 'staff', slapd.dn('user2')))
  for (const full of [false, true]) await sync(house, { full })
  expect(await house.people.byId(id)).toMatchObject({
    name: 'Another',
    groups: ['staff', 'testers'],
    disabled: true,
  })
})

test('whom another directory knows besides keeps what is theirs; its groups come and go with the sync', async () => {
  const slapd = await serve(many(20), { staff: ['user1'] })
  const house = await openHouse([{ id: 'local', kind: 'local' }, slapd.settings()])
  const kim = await house.people.add({ username: 'kim', name: 'Kim', groups: ['care'] }, 'cli')
  const probe = await openHouse([slapd.settings()])
  await sync(probe)
  const one: { upstream_id: string } = await probe.storage.records
    .selectFrom('people')
    .select('upstream_id')
    .where('username', '=', 'user1')
    .executeTakeFirstOrThrow()
  await house.people.link(kim.id, { directory: 'staff', upstreamId: one.upstream_id }, 'cli')
  expect(await sync(house)).toMatchObject({ added: 19, changed: 1, failed: 0 })
  const { id: _, ...same } = kim
  expect(await house.people.byId(kim.id)).toMatchObject({ ...same, groups: ['care', 'staff'] })
  await slapd.modify(remove(slapd.dn('user1')))
  expect(await sync(house, { full: true })).toMatchObject({ gone: 1, unchanged: 19 })
  expect(await house.people.byId(kim.id)).toMatchObject({ disabled: false, groups: ['care'] })
  expect(await sync(house, { full: true })).toMatchObject({ gone: 0 })
})

test('two who swap their names, and one whose name goes to another, stay who they are', async () => {
  const slapd = await serve(many(4))
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const before = await named(house)
  const rename = (from: string, to: string) =>
    `dn: ${slapd.dn(from)}\nchangetype: modrdn\nnewrdn: uid=${to}\ndeleteoldrdn: 1\n\n`
  await slapd.modify(
    rename('user0', 'x') +
      rename('user1', 'user0') +
      rename('x', 'user1') +
      remove(slapd.dn('user2')) +
      rename('user3', 'user2'),
  )
  expect(await sync(house)).toMatchObject({ changed: 3, failed: 0 })
  const after = await named(house)
  expect(after.get('user0')?.id).toBe(before.get('user1')!.id)
  expect(after.get('user1')?.id).toBe(before.get('user0')!.id)
  expect(await house.people.find('user2')).toMatchObject({ id: before.get('user3')!.id })
})

test('entries that are nobody are counted and stop no others: without a name, two with one name', async () => {
  const slapd = await serve([
    ...many(3),
    { uid: 'twin', name: 'First Twin', ou: 'ou=stores' },
    { uid: 'twin', name: 'Second Twin', ou: 'ou=care' },
    // so many that the last comes in another page
    ...many(300).slice(3),
    { uid: 'twin', name: 'Third Twin', ou: 'ou=head' },
  ])
  const settings = slapd.settings()
  const house = await openHouse([settings])
  expect(await sync(house)).toMatchObject({ read: 303, added: 301, failed: 2 })
  expect((await named(house)).size).toBe(301)
  expect(await sync(house, { full: true })).toMatchObject({ added: 0, changed: 0, failed: 2, gone: 0 })
  const other = await openHouse([{ ...settings, attributes: { ...settings.attributes, id: 'employeeNumber' } }])
  expect(await sync(other)).toMatchObject({ read: 303, added: 0, failed: 303 })
})

test('somebody who was not read, and is there, is not gone', async () => {
  const slapd = await serve(many(20))
  await slapd.modify(`dn: ou=stores,ou=people,${BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: stores\n`)
  const house = await openHouse([slapd.settings()])
  await sync(house)
  const { id } = (await named(house)).get('user9')!
  // two with one name now, of whom one is left out
  await slapd.modify(
    `dn: ${slapd.dn('user9')}\nchangetype: modrdn\nnewrdn: uid=user3\ndeleteoldrdn: 1\nnewsuperior: ou=stores,ou=people,${BASE}\n`,
  )
  expect(await sync(house, { full: true })).toMatchObject({ gone: 0, unchanged: 19 })
  expect(await house.people.byId(id)).toMatchObject({ disabled: false })
})

test('a dry run says the same and writes nothing', async () => {
  const slapd = await serve(many(300), { staff: ['user1'] })
  const house = await openHouse([slapd.settings()])
  const { ms: _, ...dry } = await sync(house, { dryRun: true })
  expect(dry).toMatchObject({ added: 300 })
  expect([await house.people.list(), await house.audit.search({})]).toEqual([[], []])
  const { ms: __, ...wet } = await sync(house)
  expect(wet).toEqual(dry)
})

test('one at a time, and only of what can be read', async () => {
  const slapd = await serve(many(300))
  const house = await openHouse([slapd.settings(), { id: 'local', kind: 'local' }])
  const others = await house.reopen([slapd.settings()])
  const codes = await Promise.all([sync(house), others.sync('staff', {}, 'cli')].map((one) => refusalOf(one)))
  expect(codes.sort()).toEqual(['no refusal', 'sync-running'])
  expect(await sync(house)).toMatchObject({ added: 0 })
  expect(await refusalOf(house.people.sync('local', {}, 'cli'))).toBe('sync-unsupported')
  expect(await refusalOf(house.people.sync('nowhere', {}, 'cli'))).toBe('directory-unknown')
})

test('the clockwork syncs what the settings say, as often as they say, and goes on after a directory was down', async () => {
  const slapd = await serve(many(5))
  const house = await openHouse([slapd.settings({ sync: '15m' }), slapd.settings({ id: 'other' })])
  const { signal } = new AbortController()
  const due = () => house.people.syncWhatIsDue(signal)
  const runs = async () =>
    (await house.audit.search({ event: 'directory-synced' })).map(({ reason }) => reason!.split('/')[0])
  await due()
  expect(await runs()).toEqual(['staff'])
  await due()
  house.clock.pass(14 * 60_000)
  await due()
  expect(await runs()).toHaveLength(1)
  // up to a tenth later, so that many processes do not come at once
  house.clock.pass(3 * 60_000)
  await due()
  expect(await runs()).toHaveLength(2)
  await slapd.stop()
  house.clock.pass(17 * 60_000)
  await due()
  expect(house.said.join('\n')).toContain('directory-sync-put-off')
  await slapd.start()
  house.clock.pass(17 * 60_000)
  await due()
  expect(await runs()).toHaveLength(3)
  // who syncs by hand has synced
  house.clock.pass(14 * 60_000)
  await sync(house)
  house.clock.pass(3 * 60_000)
  await due()
  expect(await runs()).toHaveLength(4)
})
