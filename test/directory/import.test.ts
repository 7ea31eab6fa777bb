import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvLine, type ImportedRow, type ImportOptions, type People } from '#directory'
import { LOCAL, openHouse, refusalOf } from './house.ts'

async function importing(people: People, text: string, options: Partial<ImportOptions> = {}): Promise<ImportedRow[]> {
  const rows: ImportedRow[] = []
  for await (const row of people.import(text, { format: 'csv', ...options }, 'cli')) rows.push(row)
  return rows
}
const told = (rows: ImportedRow[]) =>
  rows.map(({ result, reason }) => (reason === undefined ? result : `${result} ${reason.split(':')[0]}`))

const HEADER = 'username,name,given_name,family_name,mail,groups,organisation,language,password,disabled'

test('a CSV file adds people with everything it says about them, and the password works', async () => {
  const { people } = await openHouse()
  const rows = await importing(
    people,
    `${HEADER}\nsam,"Jansen, Sam",Sam,Jansen,sam@kestrel.example,staff; care ,retail/nl,nl,correct horse,\nkim,Kim,,,,,,,,true\n`,
  )
  expect(told(rows)).toEqual(['added', 'added'])
  expect(rows.map(({ row }) => row)).toEqual([2, 3])
  expect(await people.find('sam')).toMatchObject({
    id: rows[0]?.id,
    name: 'Jansen, Sam',
    givenName: 'Sam',
    familyName: 'Jansen',
    mail: 'sam@kestrel.example',
    mailVerified: false,
    groups: ['care', 'staff'],
    organisation: 'retail/nl',
    language: 'nl',
    disabled: false,
  })
  expect(await people.verifyPassword('sam', 'correct horse')).toMatchObject({ id: rows[0]?.id })
  expect(await people.find('kim')).toMatchObject({ disabled: true, groups: [] })
  expect(await people.hasPassword(rows[1]!.id!)).toBe(false)
  expect(rows[0]?.input['password']).toBe('')
})

test('JSON Lines say the same with lists and booleans', async () => {
  const { people } = await openHouse()
  const text = [
    { username: 'sam', name: 'Sam', groups: ['staff', 'care'], disabled: false, mail: null },
    { username: 'kim', name: 'Kim', groups: 'staff;care' },
    ['an', 'array'],
    { username: 'x', name: 'X', groups: ['a;b'] },
    { username: 'y', name: 'Y', disabled: 'perhaps' },
    { username: 'z', name: 'Z', nmae: 'typo' },
    { username: 7, name: 'Seven' },
  ]
  const rows = await importing(
    people,
    `${text.map((line) => JSON.stringify(line)).join('\n')}\n{"username":\n{"__proto__":{"username":"p"},"name":"P"}\n`,
    { format: 'jsonl' },
  )
  expect(told(rows)).toEqual([
    'added',
    'added',
    'refused json-invalid',
    'refused json-invalid',
    'refused disabled-invalid',
    'refused column-unknown',
    'refused json-invalid',
    'refused json-invalid',
    'refused column-unknown',
  ])
  expect((await people.find('sam'))?.groups).toEqual(['care', 'staff'])
  expect(rows[5]?.reason).toContain('did you mean name?')
})

test('the second time nothing is changed; later only what differs is, and what has no column stays', async () => {
  const { people } = await openHouse()
  const file = `${HEADER}\nsam,Sam,,,sam@kestrel.example,staff,,nl,,\nkim,Kim,,,,,,,,\n`
  await importing(people, file)
  expect(told(await importing(people, file))).toEqual(['unchanged', 'unchanged'])
  expect(told(await importing(people, 'username,groups\nSAM,\nkim,staff\n'))).toEqual(['changed', 'changed'])
  expect(await people.find('sam')).toMatchObject({
    username: 'SAM',
    name: 'Sam',
    mail: 'sam@kestrel.example',
    language: 'nl',
    groups: [],
  })
  expect((await people.find('kim'))?.groups).toEqual(['staff'])
  expect(told(await importing(people, 'username,mail,language\nsam,,\n'))).toEqual(['changed'])
  expect(await people.find('sam')).not.toHaveProperty('mail')
})

test('each bad row is refused with its reason and stops no other', async () => {
  const { people } = await openHouse([{ id: 'local', kind: 'local', organisation: 'retail' }])
  const rows = await importing(
    people,
    [
      'username,name,mail,groups,organisation,language,password,disabled',
      'good1,Good,,,,,,',
      ',No Name,,,,,,',
      'bad user,Bad,,,,,,',
      'noname,,,,,,,',
      'mail,Mail,not a mail,,,,,',
      'groups,Groups,,a\tb,,,,',
      'outside,Outside,,,care,,,',
      'lang,Lang,,,,fr,,',
      'weak,Weak,,,,,password,',
      'flag,Flag,,,,,,perhaps',
      'short,Short',
      'quote,Qu"ote,,,,,,',
      'GOOD1,Again,,,,,,',
      'zoë,Zoë,,,,,,',
      'zoe\u0308,Zoë again,,,,,,',
      'good2,Good,,,retail/nl,,,',
    ].join('\n'),
  )
  expect(told(rows)).toEqual([
    'added',
    'refused username-missing',
    'refused username-invalid',
    'refused name-invalid',
    'refused mail-invalid',
    'refused group-invalid',
    'refused organisation-outside',
    'refused language-invalid',
    'refused password-weak',
    'refused disabled-invalid',
    'refused cells-wrong',
    'refused quotes-invalid',
    'refused duplicate-in-file',
    'added',
    'refused duplicate-in-file',
    'added',
  ])
  expect((await people.list()).map(({ username }) => username)).toEqual(['good1', 'good2', 'zoë'])
})

test.each([
  ['name,mail\nSam,x\n', 'column-missing'],
  ['username,nmae\nsam,Sam\n', 'column-unknown'],
  ['username,name,name\nsam,Sam,Sam\n', 'column-twice'],
  ['"username,name\nsam,Sam\n', 'quotes-invalid'],
])('a file with a wrong first line is refused as a whole: %j', async (text, code) => {
  const { people } = await openHouse()
  expect(told(await importing(people, text))).toEqual([`refused ${code}`])
  expect(await people.list()).toEqual([])
})

test('a dry run says the same as the real one and writes nothing', async () => {
  const { people, storage, audit } = await openHouse()
  await people.add({ username: 'kim', name: 'Kim' }, 'cli')
  const before = await storage.records.selectFrom('people').selectAll().execute()
  const file = `${HEADER}\nsam,Sam,,,,staff,,,correct horse,\nkim,Kim Other,,,,,,,,true\nsam,Again,,,,,,,,\nweak,Weak,,,,,,,12345678,\n`
  const dry = await importing(people, file, { dryRun: true })
  expect(await storage.records.selectFrom('people').selectAll().execute()).toEqual(before)
  expect(await storage.records.selectFrom('memberships').selectAll().execute()).toEqual([])
  expect(await storage.records.selectFrom('passwords').selectAll().execute()).toEqual([])
  expect(await audit.search({ event: 'people-imported' })).toEqual([])
  expect(told(dry)).toEqual(told(await importing(people, file)))
  expect(told(dry)).toEqual(['added', 'changed', 'refused duplicate-in-file', 'refused password-weak'])
})

test('an import makes no administrator and changes none, unless it was told that it may', async () => {
  const { people } = await openHouse()
  const boss = await people.add(
    {
      username: 'boss',
      name: 'Boss',
      mail: 'boss@kestrel.example',
      groups: ['administrators', 'staff'],
      password: 'correct horse',
    },
    'cli',
  )
  await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  const file = [
    'username,name,mail,groups,password',
    'eve,Eve,,administrators,',
    'sam,Sam,,staff;administrators,',
    'ann,Ann,,Administrators,',
    'bob,Bob,,administratorѕ,',
    'boss,Boss,eve@evil.example,administrators;staff,',
  ].join('\n')
  const refused = [
    'refused administrators-not-allowed',
    'refused administrators-not-allowed',
    'refused group-invalid',
    'added',
    'refused administrator-protected',
  ]
  expect(told(await importing(people, file))).toEqual(refused)
  for (const row of [
    'boss,Boss,boss@kestrel.example,administrators;staff,another horse',
    'boss,Boss,boss@kestrel.example,staff,',
    'boss,Boss Two,boss@kestrel.example,administrators;staff,',
  ]) {
    expect(told(await importing(people, `username,name,mail,groups,password\n${row}\n`)), row).toEqual([
      'refused administrator-protected',
    ])
  }
  expect(told(await importing(people, 'username,disabled\nboss,true\n'))).toEqual(['refused administrator-protected'])
  expect(await people.verifyPassword('boss', 'correct horse')).toEqual(boss)
  expect(await people.list({ group: 'administrators' })).toEqual([boss])
  expect(told(await importing(people, 'username,name\nboss,Boss\n'))).toEqual(['unchanged'])
  expect(told(await importing(people, file, { allowAdministrators: true }))).toEqual([
    'added',
    'changed',
    'refused group-invalid',
    'unchanged',
    'changed',
  ])
  expect(await people.list({ group: 'administrators' })).toHaveLength(3)
})

test('people of another directory are not touched by an import', async () => {
  const { people } = await openHouse([LOCAL, { id: 'partners', kind: 'local' }])
  await people.add({ username: 'pat', name: 'Pat', directory: 'partners' }, 'cli')
  expect(told(await importing(people, 'username,name\npat,Other\n'))).toEqual(['refused person-elsewhere'])
  expect(told(await importing(people, 'username,name\npat,Other\n', { directory: 'partners' }))).toEqual(['changed'])
  expect(await refusalOf(importing(people, 'username,name\npat,Other\n', { directory: 'nowhere' }))).toBe(
    'directory-unknown',
  )
})

test('who is disabled by an import loses everything at once, and stays disabled when the file says nothing', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  const heard: string[] = []
  people.onDisabled(async (id) => void heard.push(id))
  expect(told(await importing(people, 'username,disabled\nsam,yes\n'))).toEqual(['changed'])
  expect(heard).toEqual([sam.id])
  await importing(people, 'username,name\nsam,Sam Two\n')
  expect(told(await importing(people, 'username,disabled\nsam,\n'))).toEqual(['unchanged'])
  expect(await people.find('sam')).toMatchObject({ disabled: true, name: 'Sam Two' })
  expect(heard).toEqual([sam.id])
  expect(told(await importing(people, 'username,disabled\nsam,no\n'))).toEqual(['changed'])
  expect(await people.find('sam')).toMatchObject({ disabled: false })
})

test('who is disabled while an import hashes passwords is not switched on again by it', async () => {
  const { people, clock } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam' }, 'cli')
  const rows = importing(
    people,
    'username,name,password,disabled\nkim,Kim,correct horse,\nsam,Sam Two,correct horse,\nleo,Leo,,\n',
  )
  clock.pass(1)
  await people.disable(sam.id, 'cli')
  // whichever came first: the other people are there, and sam is off
  expect((await rows).filter(({ result }) => result === 'added')).toHaveLength(2)
  expect((await people.byId(sam.id))?.disabled).toBe(true)
})

test('ten thousand rows without passwords are added, and then found unchanged', async () => {
  const { people } = await openHouse()
  const lines = Array.from(
    { length: 10_000 },
    (_, i) => `person-${i},Person ${i},p${i}@kestrel.example,staff;site-${i % 50}`,
  )
  async function* file() {
    yield 'username,name,mail,groups\n'
    for (const line of lines) yield `${line}\n`
  }
  for (const expected of ['added', 'unchanged']) {
    const counts: Record<string, number> = {}
    for await (const { result } of people.import(file(), { format: 'csv' }, 'cli'))
      counts[result] = (counts[result] ?? 0) + 1
    expect(counts).toEqual({ [expected]: 10_000 })
  }
  expect((await people.groups()).find(({ name }) => name === 'staff')?.members).toBe(10_000)
})

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'é', 'ж', '1', '-', '.', '_'), minLength: 1, maxLength: 10 })
const text = fc
  .string({
    unit: fc.constantFrom('a', 'Z', 'é', '=', '+', '-', '@', "'", '"', ',', ';', ' ', '1'),
    minLength: 1,
    maxLength: 12,
  })
  .filter((t) => t.trim() !== '')

test('what was imported is listed as it was, whatever stands in the cells', async () => {
  const person = fc.record({
    username: word.map((w) => `u${w}`),
    name: text.map((t) => t.trim()),
    mail: fc.constantFrom('', 'someone@kestrel.example', '+plus@kestrel.example'),
    groups: fc
      .uniqueArray(
        word.map((w) => `g${w}`),
        { maxLength: 3 },
      )
      .map((g) => g.sort()),
    language: fc.constantFrom('', 'en', 'nl', 'de', 'ru'),
    disabled: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(person, { maxLength: 6, selector: ({ username }) => username }), async (wanted) => {
      const { people } = await openHouse()
      const file = [
        ['username', 'name', 'mail', 'groups', 'language', 'disabled'],
        ...wanted.map((p) => [p.username, p.name, p.mail, p.groups.join(';'), p.language, String(p.disabled)]),
      ]
      await importing(people, file.map((row) => csvLine(row)).join('\n'))
      const listed = (await people.list()).map((p) => ({
        username: p.username,
        name: p.name,
        mail: p.mail ?? '',
        groups: p.groups,
        language: p.language ?? '',
        disabled: p.disabled,
      }))
      const byName = (a: { username: string }, b: { username: string }) => (a.username < b.username ? -1 : 1)
      expect(listed.sort(byName)).toEqual([...wanted].sort(byName))
    }),
    { numRuns: 25 },
  )
})

test('a password that somebody has already changes nothing; another one is told, so that sessions can end', async () => {
  const { people } = await openHouse()
  const heard: string[] = []
  people.onPasswordSet(async (id, by) => void heard.push(`${id} ${by}`))
  const file = (password: string, name = 'Sam') => `username,name,password\nsam,${name},${password}\n`
  expect(told(await importing(people, file('correct horse')))).toEqual(['added'])
  expect(told(await importing(people, file('correct horse'), { dryRun: true }))).toEqual(['unchanged'])
  expect(told(await importing(people, file('correct horse')))).toEqual(['unchanged'])
  expect(told(await importing(people, file('correct horse', 'Sam Two')))).toEqual(['changed'])
  expect(heard).toEqual([])
  expect(told(await importing(people, file('another horse'), { dryRun: true }))).toEqual(['changed'])
  expect(heard).toEqual([])
  expect(told(await importing(people, file('another horse')))).toEqual(['changed'])
  const sam = (await people.find('sam'))!
  expect(heard).toEqual([`${sam.id} cli`])
  expect(await people.verifyPassword('sam', 'another horse')).not.toBe('wrong')
})

test('a password set by somebody else is told; who sets their own stays where they did it', async () => {
  const { people } = await openHouse()
  const sam = await people.add({ username: 'sam', name: 'Sam', password: 'correct horse' }, 'cli')
  const heard: string[] = []
  people.onPasswordSet(async (id, by) => void heard.push(`${id} ${by}`))
  await people.setPassword(sam.id, 'another horse', sam.id)
  expect(heard).toEqual([])
  await people.setPassword(sam.id, 'a third horse', 'cli')
  expect(heard).toEqual([`${sam.id} cli`])
})
