import { expect, test } from 'vitest'
import { LOCAL, openHouse, refusalOf } from './house.ts'

const RETAIL = { id: 'local', kind: 'local', organisation: 'retail' } as const

test('a person is found by name without regard to case, blanks around it and composition', async () => {
  const { people } = await openHouse()
  const added = await people.add(
    { username: 'Zoë', name: 'Zoë Bakker', mail: 'zoe@kestrel.example', groups: ['staff', 'care'], language: 'nl' },
    'cli',
  )
  for (const typed of ['zoë', 'ZOË', ' zoë ', 'zoe\u0308', 'ZOE\u0308'])
    expect(await people.find(typed), typed).toEqual(added)
  expect(await people.byId(added.id)).toEqual(added)
  expect(added).toEqual({
    id: expect.stringMatching(/^[\w-]{22}$/),
    username: 'Zoë',
    directory: 'local',
    name: 'Zoë Bakker',
    mail: 'zoe@kestrel.example',
    mailVerified: false,
    groups: ['care', 'staff'],
    attributes: {},
    language: 'nl',
    disabled: false,
    createdAt: expect.any(Number),
  })
})

test('look-alikes, control characters and endless names are nobody', async () => {
  const { people } = await openHouse()
  await people.add({ username: 'sam', name: 'Sam Jansen' }, 'cli')
  for (const typed of [
    'ѕam',
    'ｓａｍ',
    's\u200bam',
    'sam\u0000',
    'sam\u202e',
    's am',
    'ſam',
    '*',
    'sam%',
    's_m',
    '',
    ' ',
    '\ud800',
    'x'.repeat(10_000),
  ]) {
    expect(await people.find(typed), JSON.stringify(typed)).toBeUndefined()
  }
})

test('a user name can be taken once, in any spelling, and also when fifty ask for it at once', async () => {
  const { people } = await openHouse()
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, i) => people.add({ username: i % 2 ? 'SAM' : 'sam', name: `Sam ${i}` }, 'cli')),
  )
  expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1)
  expect(new Set(results.flatMap((r) => (r.status === 'rejected' ? [r.reason.code] : [])))).toEqual(
    new Set(['person-exists']),
  )
  expect(await people.list()).toHaveLength(1)
})

test.each([
  [{ username: '=cmd', name: 'X' }],
  [{ username: 'a b', name: 'X' }],
  [{ username: 'ab\u0000', name: 'X' }],
  [{ username: 'sam', name: '  ' }],
  [{ username: 'sam', name: 'two\nlines' }],
  [{ username: 'sam', name: 'x'.repeat(201) }],
  [{ username: 'sam', name: 'Sam', mail: 'no address' }],
  [{ username: 'sam', name: 'Sam', mail: 'a@b\r\nBcc: c@d' }],
  [{ username: 'sam', name: 'Sam', groups: ['a;b'] }],
  [{ username: 'sam', name: 'Sam', groups: ['a,b'] }],
  [{ username: 'sam', name: 'Sam', groups: ['Administrators'] }],
  [{ username: 'sam', name: 'Sam', groups: ['ａdministrators'] }],
  [{ username: 'sam', name: 'Sam', organisation: 'Retail' }],
  [{ username: 'sam', name: 'Sam', organisation: 'care/nl' }],
  [{ username: 'sam', name: 'Sam', organisation: 'retailer' }],
])('what does not fit a field is refused: %j', async (input) => {
  const { people } = await openHouse([RETAIL])
  expect(await refusalOf(people.add(input, 'cli'))).toBe('input-invalid')
  expect(await people.list()).toEqual([])
})

test('people belong to their directory’s part of the organisation', async () => {
  const { people } = await openHouse([RETAIL])
  const sam = await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  expect(sam.organisation).toBe('retail')
  expect((await people.change(sam.id, { organisation: 'retail/nl' }, 'cli')).organisation).toBe('retail/nl')
  expect((await people.change(sam.id, { organisation: undefined }, 'cli')).organisation).toBe('retail')
})

test('a change touches only what it names, and a new mail address is not verified', async () => {
  const { people } = await openHouse()
  const sam = await people.add(
    { username: 'sam', name: 'Sam', mail: 'sam@kestrel.example', mailVerified: true, givenName: 'Sam' },
    'cli',
  )
  expect((await people.change(sam.id, { name: 'Sam J', mail: 'sam@kestrel.example' }, 'cli')).mailVerified).toBe(true)
  const changed = await people.change(sam.id, { mail: 'sam2@kestrel.example', givenName: undefined }, 'cli')
  expect(changed).toMatchObject({
    id: sam.id,
    username: 'sam',
    name: 'Sam J',
    mail: 'sam2@kestrel.example',
    mailVerified: false,
  })
  expect(changed).not.toHaveProperty('givenName')
  await people.add({ username: 'kim', name: 'Kim' }, 'cli')
  expect(await refusalOf(people.change(sam.id, { username: 'KIM' }, 'cli'))).toBe('person-exists')
  expect((await people.change(sam.id, { username: 'Sam' }, 'cli')).username).toBe('Sam')
  expect(await refusalOf(people.change('nobody', { name: 'X' }, 'cli'))).toBe('person-unknown')
})

test('disabling resolves after everybody who must hear of it has finished, and they see the person disabled', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  const heard: string[] = []
  people.onDisabled(async (id) => {
    heard.push(`${id} ${(await people.byId(id))?.disabled}`)
  })
  await people.disable(sam.id, 'cli')
  expect(heard).toEqual([`${sam.id} true`])
  expect(await people.verifyPassword('sam', 'correct horse')).toBe('wrong')
  await people.enable(sam.id, 'cli')
  expect(await people.verifyPassword('sam', 'correct horse')).toMatchObject({ id: sam.id, disabled: false })
})

test('when one listener fails the others still hear it, the person stays disabled and the caller is told', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  const heard: string[] = []
  people.onDisabled(async () => {
    throw new Error('this one cannot')
  })
  people.onDisabled(async () => void heard.push('the second'))
  await expect(people.disable(sam.id, 'cli')).rejects.toThrow('this one cannot')
  expect(heard).toEqual(['the second'])
  expect((await people.byId(sam.id))?.disabled).toBe(true)
})

test('who is disabled while the hash of their right password runs does not come in', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  // many before it: the hash is not done before the row is written, however long that takes
  const others = Array.from({ length: 100 }, (_, i) => people.verifyPassword(`nobody${i}`, 'wrong horse'))
  const verdict = people.verifyPassword('sam', 'correct horse')
  await people.disable(sam.id, 'cli')
  expect(await verdict).toBe('wrong')
  await Promise.all(others)
})

test('removing ends everything first, then leaves nothing behind, and the name is free for another person', async () => {
  const { people, storage } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', groups: ['staff'], password: 'correct horse' }, 'cli')
  const heard: string[] = []
  people.onDisabled(async (id) => void heard.push(`disabled ${id}`))
  people.onRemoved(async (id) => void heard.push(`removed ${id}`))
  await people.remove(sam.id, 'cli')
  expect(heard).toEqual([`disabled ${sam.id}`, `removed ${sam.id}`])
  expect(await people.byId(sam.id)).toBeUndefined()
  expect(await people.groups()).toEqual([])
  expect(await storage.records.selectFrom('passwords').selectAll().execute()).toEqual([])
  const next = await people.add({ username: 'sam', name: 'Another Sam' }, 'cli')
  expect(next.id).not.toBe(sam.id)
  expect(await people.verifyPassword('sam', 'correct horse')).toBe('wrong')
})

test('groups: joining twice is once, leaving is at once, and look-alikes of administrators are refused', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', groups: ['staff'] }, 'cli')
  const kim = await people.add({ username: 'kim', name: 'Kim', groups: ['staff'] }, 'cli')
  await people.addToGroup(sam.id, 'care', 'cli')
  await people.addToGroup(sam.id, 'care', 'cli')
  await people.addToGroup(kim.id, 'administrators', 'cli')
  expect((await people.byId(sam.id))?.groups).toEqual(['care', 'staff'])
  expect(await people.groups()).toEqual([
    { name: 'administrators', members: 1 },
    { name: 'care', members: 1 },
    { name: 'staff', members: 2 },
  ])
  await people.removeFromGroup(sam.id, 'care', 'cli')
  await people.removeFromGroup(sam.id, 'staff', 'cli')
  expect((await people.byId(sam.id))?.groups).toEqual([])
  expect(await refusalOf(people.addToGroup(sam.id, 'ADMINISTRATORS', 'cli'))).toBe('input-invalid')
  expect(await refusalOf(people.addToGroup('nobody', 'staff', 'cli'))).toBe('person-unknown')
})

test('a list has pages by user name, and filters', async () => {
  const { people } = await openHouse()
  for (const [i, username] of ['dora', 'Bob', 'anna', 'carl'].entries()) {
    await people.add(
      {
        username,
        name: `Person ${username}`,
        mail: `${username}@kestrel.example`,
        groups: i < 2 ? ['staff'] : [],
        disabled: username === 'carl',
      },
      'cli',
    )
  }
  const names = async (...filter: Parameters<typeof people.list>) =>
    (await people.list(...filter)).map(({ username }) => username)
  expect(await names()).toEqual(['anna', 'Bob', 'carl', 'dora'])
  const [first, second] = await people.list({ limit: 2 })
  expect([first?.username, second?.username]).toEqual(['anna', 'Bob'])
  expect(await names({ after: second!.id, limit: 2 })).toEqual(['carl', 'dora'])
  expect(await names({ group: 'staff' })).toEqual(['Bob', 'dora'])
  expect(await names({ disabled: true })).toEqual(['carl'])
  expect(await names({ disabled: false, directory: 'local' })).toEqual(['anna', 'Bob', 'dora'])
  expect(await names({ search: 'BOB@' })).toEqual(['Bob'])
  expect(await names({ search: 'person a' })).toEqual(['anna'])
  expect(await names({ search: '%' })).toEqual([])
  expect(await names({ search: "' or 1=1 --" })).toEqual([])
  expect(await refusalOf(people.list({ after: 'nobody' }))).toBe('person-unknown')
})

test('people of a directory that was taken out of the settings count as disabled', async () => {
  const { people, reopen } = await openHouse([LOCAL, { id: 'partners', kind: 'local' }])
  const pat = await people.add(
    { username: 'pat', name: 'Pat', directory: 'partners', password: 'correct horse' },
    'cli',
  )
  const later = await reopen([LOCAL])
  expect((await later.byId(pat.id))?.disabled).toBe(true)
  expect((await later.list({ disabled: true })).map(({ id }) => id)).toEqual([pat.id])
  expect(await later.verifyPassword('pat', 'correct horse')).toBe('wrong')
  expect(await refusalOf(later.add({ username: 'x', name: 'X', directory: 'partners' }, 'cli'))).toBe(
    'directory-unknown',
  )
})

test('every change stands in the audit trail with ids only', async () => {
  const { people, audit, said } = await openHouse()
  const sam = await people.add(
    { username: 'canary-user', name: 'Canary Name', mail: 'canary@mail.example', password: 'canary password' },
    'cli',
  )
  await people.change(sam.id, { name: 'Canary Other' }, 'cli')
  await people.addToGroup(sam.id, 'staff', 'cli')
  await people.verifyPassword('canary-user', 'canary wrong')
  await people.disable(sam.id, 'cli')
  await people.enable(sam.id, 'cli')
  await people.remove(sam.id, 'cli')
  const events = (await audit.search({ subject: sam.id })).map(({ event }) => event).reverse()
  expect(events).toEqual([
    'person-added',
    'person-changed',
    'group-changed',
    'person-disabled',
    'person-enabled',
    'person-removed',
  ])
  expect(said.join('\n')).not.toMatch(/canary/i)
})
