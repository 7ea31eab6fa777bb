/** Two directories become one: what is found, what stops it, what becomes of a person, and what a dead process leaves. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { formatProblem } from '#config'
import { type MergeRow, type NewPerson, type People, readMergeRules } from '#directory'
import { openHouse, type TestHouse } from './house.ts'

const TWO = [
  { id: 'north', kind: 'local' },
  { id: 'south', kind: 'local' },
] as const

const rulesOf = (text: string) => readMergeRules('rules.yaml', text, ['north', 'south'])
const NUMBERS = 'from: north\ninto: south\nmatch: [attribute: number]\n'

const number = (value: string) => ({ attributes: { number: [value] } })

async function world(people: readonly NewPerson[] = []) {
  const house = await openHouse(TWO)
  const ids: Record<string, string> = {}
  for (const person of people) ids[person.username] = (await house.people.add(person, 'test')).id
  return { ...house, ids }
}

interface Options {
  pairs?: string
  breakGlass?: readonly string[]
}

async function planned(people: People, text: string, { pairs, breakGlass = [] }: Options = {}) {
  const rules = rulesOf(text)
  if (!rules.value) return { problems: rules.problems.map(formatProblem), rows: [] as readonly MergeRow[] }
  const { plan, problems } = await people.merging.planMerge(rules, {
    breakGlass,
    ...(pairs === undefined ? {} : { pairs: { file: 'pairs.csv', text: pairs } }),
  })
  return { plan, problems: problems.map(formatProblem), rows: plan?.rows ?? [] }
}

const told = (rows: readonly MergeRow[]) =>
  rows
    .map(({ result, way, reason, from, into }) =>
      [result, `${from?.username ?? ''}>${into?.username ?? ''}`, way, reason].filter(Boolean).join(' '),
    )
    .sort()

async function merged(house: Pick<TestHouse, 'people'>, text = NUMBERS, options: Options = {}): Promise<MergeRow[]> {
  const { plan, problems } = await planned(house.people, text, options)
  if (!plan) throw new Error(problems.join('\n'))
  const rows: MergeRow[] = []
  for await (const row of house.people.merging.merge(plan, { breakGlass: options.breakGlass ?? [] }, 'cli'))
    rows.push(row)
  return rows
}

const north = (username: string, more: Partial<NewPerson> = {}): NewPerson => ({
  username,
  name: `${username} of the north`,
  directory: 'north',
  ...more,
})
const south = (username: string, more: Partial<NewPerson> = {}): NewPerson => ({
  username,
  name: `${username} of the south`,
  directory: 'south',
  ...more,
})

afterEach(() => void vi.restoreAllMocks())

describe('the rules file', () => {
  test('says everything that is wrong with it at once, each with its place', () => {
    const text = 'from: nort\ninto: south\nhome: both\nmatch:\n  - mail: unverified\n  - usernam: same\nexcept: sam\n'
    expect(rulesOf(text).problems.map(formatProblem)).toEqual([
      expect.stringMatching(/^rules\.yaml:3:7 invalid `home`/),
      expect.stringMatching(/^rules\.yaml:5:\d+ invalid `match\.0/),
      expect.stringMatching(/^rules\.yaml:6:5 unknown-key .*did you mean `username`/),
      expect.stringMatching(/^rules\.yaml:6:5 invalid `match\.1` .*one of/),
      expect.stringMatching(/^rules\.yaml:7:9 invalid `except`/),
    ])
    expect(rulesOf('from: nort\ninto: sout\nmatch: [username: same]\n').problems.map(formatProblem)).toEqual([
      expect.stringMatching(/^rules\.yaml:1:7 directory-unknown .*`north`, `south`/),
      expect.stringMatching(/^rules\.yaml:2:7 directory-unknown/),
    ])
    expect(rulesOf('from: north\ninto: north\nmatch: [username: same]\n').value).toBeUndefined()
  })

  test('has a way, or pairs; a pattern has one star', () => {
    expect(rulesOf('from: north\ninto: south\n').problems).toHaveLength(1)
    expect(rulesOf('from: north\ninto: south\npairs: p.csv\n').problems).toEqual([])
    const pattern = (from: string) =>
      `from: north\ninto: south\nmatch: [{ username: { from: '${from}', into: '*' } }]\n`
    expect(rulesOf(pattern('*@north')).problems).toEqual([])
    expect(rulesOf(pattern('north')).problems).not.toEqual([])
    expect(rulesOf(pattern('*x*')).problems).not.toEqual([])
  })

  test('and the file of pairs name nobody who is not there', async () => {
    const { people } = await world([north('sam'), south('kim')])
    const text = `${NUMBERS}pairs: p.csv\nexcept: [sam, tom]\n`
    const pairs = 'from,into\nsam,kim\nsam,kim\nann,kim\nsam\n'
    expect((await planned(people, text, { pairs })).problems).toEqual([
      expect.stringMatching(/^pairs\.csv:3:1 duplicate-in-file .*`from`/),
      expect.stringMatching(/^pairs\.csv:3:1 duplicate-in-file .*`into`/),
      expect.stringMatching(/^pairs\.csv:4:1 duplicate-in-file/),
      expect.stringMatching(/^pairs\.csv:5:1 username-invalid/),
      expect.stringMatching(/^rules\.yaml:5:15 person-unknown/),
      expect.stringMatching(/^pairs\.csv:4:1 person-unknown `ann`/),
    ])
    expect((await planned(people, text.replace(', tom', ''), { pairs: 'a,b\n' })).problems).toEqual([
      expect.stringMatching(/^pairs\.csv:1:1 header-invalid/),
    ])
  })
})

describe('who is the same', () => {
  test('is found by the first way that finds anybody, and everybody else is listed', async () => {
    const { people } = await world([
      north('n.one', { ...number('1'), mail: 'two@kestrel.example', mailVerified: true }),
      south('one', number('1')),
      north('n.two', { mail: 'Two@kestrel.example', mailVerified: true }),
      south('two', { mail: 'two@kestrel.example', mailVerified: true }),
      north('n.three', { mail: 'three@kestrel.example' }),
      south('three', { mail: 'three@kestrel.example', mailVerified: true }),
      north('four@north.example'),
      south('four'),
      north('n.nobody'),
      south('nobody'),
    ])
    const text = `from: north
into: south
match:
  - attribute: number
  - mail: verified
  - username: { from: '*@north.example', into: '*' }
`
    expect(told((await planned(people, text)).rows)).toEqual([
      'match four@north.example>four username *@north.example is *',
      'match n.one>one attribute number',
      'match n.two>two mail verified',
      'orphan >nobody',
      'orphan >three',
      'orphan n.nobody>',
      'orphan n.three>',
    ])
    // an address that nobody has verified is enough only where the rules say so
    expect(told((await planned(people, 'from: north\ninto: south\nmatch: [mail: same]\n')).rows)).toContain(
      'match n.three>three mail same',
    )
  })

  test('is said by pairs, which win over all ways, and by nobody about the excepted', async () => {
    const { people } = await world([
      north('a', number('1')),
      south('x', number('1')),
      south('y'),
      north('b', number('2')),
      south('z', number('2')),
    ])
    const text = `${NUMBERS}pairs: p.csv\nexcept: [Z]\n`
    expect(told((await planned(people, text, { pairs: 'into,from\ny,a\n' })).rows)).toEqual([
      'match a>y pair',
      'orphan >x',
      'orphan >z excepted',
      'orphan b>',
    ])
  })

  test('is a conflict where it is several, on either side', async () => {
    const { people } = await world([
      north('a', { attributes: { number: ['1', '2'] } }),
      south('x', number('1')),
      south('y', number('2')),
      north('b', number('3')),
      north('c', number('3')),
      south('z', number('3')),
    ])
    expect(told((await planned(people, NUMBERS)).rows)).toEqual([
      'conflict a>x attribute number several-into',
      'conflict a>y attribute number several-into',
      'conflict b>z attribute number several-from',
      'conflict c>z attribute number several-from',
    ])
  })

  test.each<[string, Partial<NewPerson>, Partial<NewPerson>, string]>([
    ['one is an administrator', { groups: ['administrators'] }, {}, 'administrator'],
    ['the other is', {}, { groups: ['administrators'] }, 'administrator'],
    ['one is disabled', { disabled: true }, {}, 'one-disabled'],
    ['the other is disabled', {}, { disabled: true }, 'one-disabled'],
    [
      'both have verified mail of their own',
      { mail: 'a@north.example', mailVerified: true },
      { mail: 'a@south.example', mailVerified: true },
      'different-mail',
    ],
  ])('is a conflict where %s, whoever says so, and stays two', async (_title, one, other, reason) => {
    const house = await world([north('a', one), south('x', other)])
    const rows = await merged(house, `${NUMBERS}pairs: p.csv\n`, { pairs: 'from,into\na,x\n' })
    expect(told(rows)).toEqual([`conflict a>x pair ${reason}`])
    expect(await house.people.byId(house.ids['a']!)).toBeDefined()
  })

  test('is a conflict where one opens the console in an emergency', async () => {
    const { people } = await world([north('a', number('1')), south('x', number('1'))])
    expect(told((await planned(people, NUMBERS, { breakGlass: ['X'] })).rows)).toEqual([
      'conflict a>x attribute number break-glass',
    ])
  })

  test('may have two verified addresses where the rules say whose stays', async () => {
    const house = await world([
      north('a', { ...number('1'), mail: 'a@north.example', mailVerified: true }),
      south('x', { ...number('1'), mail: 'x@south.example', mailVerified: true }),
    ])
    await merged(house, `${NUMBERS}different_mail: home\nhome: from\n`)
    expect(await house.people.byId(house.ids['x']!)).toMatchObject({ mail: 'a@north.example', mailVerified: true })
  })
})

describe('two who become one', () => {
  const PAIR = [
    north('n.sam', { ...number('1'), groups: ['care', 'staff'], language: 'nl', password: 'lamp post in the rain' }),
    south('sam', { ...number('1'), groups: ['staff', 'store'], mail: 'sam@south.example', organisation: 'retail' }),
  ]

  test('are whom the home says, with the id of `into`', async () => {
    const into = await world(PAIR)
    expect(told(await merged(into))).toEqual(['merged n.sam>sam attribute number'])
    expect(await into.people.byId(into.ids['n.sam']!)).toBeUndefined()
    expect(await into.people.byId(into.ids['sam']!)).toMatchObject({
      username: 'sam',
      directory: 'south',
      name: 'sam of the south',
      mail: 'sam@south.example',
      organisation: 'retail',
      groups: ['care', 'staff', 'store'],
    })
    const from = await world(PAIR)
    await merged(from, `${NUMBERS}home: from\n`)
    const person = await from.people.byId(from.ids['sam']!)
    expect(person).toMatchObject({ username: 'n.sam', directory: 'north', language: 'nl' })
    expect(person).not.toHaveProperty('mail')
    expect((await from.people.find('n.sam'))?.id).toBe(from.ids['sam'])
    expect(await from.people.find('sam')).toBeUndefined()
  })

  test('have the password of the home, and the only one where that has none', async () => {
    const one = await world(PAIR)
    await merged(one)
    expect(await one.people.verifyPassword('sam', 'lamp post in the rain')).toMatchObject({ id: one.ids['sam'] })
    const two = await world([PAIR[0]!, { ...PAIR[1]!, password: 'another lamp, another rain' }])
    await merged(two)
    expect(await two.people.verifyPassword('sam', 'another lamp, another rain')).toMatchObject({ id: two.ids['sam'] })
    expect(await two.people.verifyPassword('sam', 'lamp post in the rain')).toBe('wrong')
    expect(await two.people.verifyPassword('n.sam', 'lamp post in the rain')).toBe('wrong')
  })

  test('are in no group by another source than before, and in no group that neither was in', async () => {
    const house = await world(PAIR)
    await merged(house)
    const id = house.ids['sam']!
    for (const group of ['care', 'staff', 'store']) await house.people.removeFromGroup(id, group, 'cli')
    expect((await house.people.byId(id))?.groups).toEqual([])
  })

  test('stay disabled where both are', async () => {
    const house = await world(PAIR.map((person) => ({ ...person, disabled: true })))
    await merged(house)
    expect((await house.people.byId(house.ids['sam']!))?.disabled).toBe(true)
  })

  test('are found under the earlier id by whoever looks, and by nothing that signs in', async () => {
    const house = await world(PAIR)
    await merged(house)
    const [earlier, now] = [house.ids['n.sam']!, house.ids['sam']!]
    expect(await house.people.merging.survivorOf(earlier)).toBe(now)
    expect(await house.people.merging.absorbedBy(now)).toEqual([earlier])
    expect(await house.people.byId(earlier)).toBeUndefined()
    expect(await house.audit.search({ event: 'person-merged' })).toMatchObject([
      { actor: 'cli', subject: now, reason: earlier },
    ])
    expect(await house.audit.search({ event: 'directories-merged' })).toMatchObject([
      { actor: 'cli', reason: 'north:south', count: 1 },
    ])
    await house.people.remove(now, 'cli')
    expect(await house.people.merging.survivorOf(earlier)).toBeUndefined()
  })

  test('are one again in a third directory, under all their ids', async () => {
    const directories = [...TWO, { id: 'west', kind: 'local' }] as const
    const house = await openHouse(directories)
    const ids: string[] = []
    for (const person of [
      north('n', number('1')),
      south('s', number('1')),
      { ...south('w', number('1')), directory: 'west' },
    ])
      ids.push((await house.people.add(person, 'test')).id)
    await merged(house)
    const rules = readMergeRules(
      'r',
      NUMBERS.replace('into: south', 'into: west').replace('from: north', 'from: south'),
      ['south', 'west'],
    )
    const { plan } = await house.people.merging.planMerge(rules, { breakGlass: [] })
    for await (const row of house.people.merging.merge(plan!, { breakGlass: [] }, 'cli'))
      expect(row.result).toBe('merged')
    expect((await house.people.merging.absorbedBy(ids[2]!)).sort()).toEqual([ids[0], ids[1]].sort())
    expect(await house.people.merging.survivorOf(ids[0]!)).toBe(ids[2])
  })
})

describe('a run', () => {
  const pairs = (count: number) =>
    Array.from({ length: count }, (_, i) => [north(`n${i}`, number(`${i}`)), south(`s${i}`, number(`${i}`))]).flat()
  const MANY = pairs(6)

  test('of a rule that everybody meets names a few of each, and everybody as a conflict', async () => {
    const count = 60
    const everybody = Array.from({ length: count }, (_, i) => [
      north(`n${i}`, number('1')),
      south(`s${i}`, number('1')),
    ])
    const house = await world(everybody.flat())
    const { rows } = await planned(house.people, NUMBERS)
    expect(new Set(rows.map(({ result }) => result))).toEqual(new Set(['conflict']))
    for (const side of ['from', 'into'] as const)
      expect(new Set(rows.flatMap((row) => row[side]?.username ?? [])).size, side).toBe(count)
    expect(rows.length).toBeLessThan(30 * count)
    expect(await merged(house)).toHaveLength(rows.length)
    expect(await house.people.list({ limit: 1000 })).toHaveLength(2 * count)
  })

  test('of the plan alone writes nothing', async () => {
    const house = await world(MANY)
    await planned(house.people, NUMBERS)
    expect(await house.people.list()).toHaveLength(12)
    expect(await house.audit.search({ event: 'directories-merged' })).toEqual([])
  })

  test.each(['into', 'from'])('is done once: the next one finds nothing to do (home: %s)', async (home) => {
    const house = await world(MANY)
    const text = `${NUMBERS}home: ${home}\n`
    await merged(house, text)
    const people = await house.people.list()
    const again = await merged(house, text)
    expect(new Set(again.map(({ result }) => result))).toEqual(new Set(['merged-before']))
    expect(again).toHaveLength(6)
    expect(await house.people.list()).toEqual(people)
    expect(await house.audit.search({ event: 'person-merged' })).toHaveLength(6)
  })

  test.each([
    ['before the tables', 'state', 1],
    ['in the transaction', 'records', 1],
    ['after the tables', 'state', 2],
    ['at the very end', 'records', 2],
  ] as const)('that dies %s is gone on with, and nobody is half', { timeout: 120_000 }, async (_title, where, nth) => {
    const house = await world(pairs(105))
    const calls = { state: 0, records: 0 }
    let dying = true
    const listen = (name: 'state' | 'records') => async () => {
      calls[name]++
      // each is called for fifty people, then once more for the same ones: this is the third of the second fifty
      if (dying && name === where && calls[name] === 100 + (nth === 2 ? 50 : 0) + 3) throw new Error('killed')
    }
    house.people.merging.onMerged({ state: listen('state'), records: listen('records') })
    await expect(merged(house)).rejects.toThrow('killed')
    const between = await house.people.list({ limit: 1000 })
    expect(between.length).toBe(210 - (nth === 2 ? 100 : 50))
    dying = false
    const rows = await merged(house)
    expect(rows.filter(({ result }) => result === 'merged')).toHaveLength(55)
    expect(rows.filter(({ result }) => result === 'merged-before')).toHaveLength(50)
    const left = await house.people.list({ limit: 1000 })
    expect(left.map(({ username }) => username).sort()).toEqual(Array.from({ length: 105 }, (_, i) => `s${i}`).sort())
    expect(await house.audit.search({ event: 'person-merged', limit: 1000 })).toHaveLength(105)
    expect((await planned(house.people, NUMBERS)).rows.every(({ result }) => result === 'merged-before')).toBe(true)
  })

  test('twice at the same time makes each pair one once', async () => {
    const house = await world(MANY)
    await Promise.all([merged(house), merged(house)])
    expect(await house.people.list()).toHaveLength(6)
    expect(await house.audit.search({ event: 'person-merged' })).toHaveLength(6)
  })

  test('looks again at whoever changed since the plan', async () => {
    const house = await world(MANY)
    const { plan } = await planned(house.people, NUMBERS)
    await house.people.disable(house.ids['n1']!, 'cli')
    await house.people.addToGroup(house.ids['s2']!, 'administrators', 'cli')
    await house.people.remove(house.ids['s3']!, 'cli')
    const rows: MergeRow[] = []
    for await (const row of house.people.merging.merge(plan!, { breakGlass: [] }, 'cli')) rows.push(row)
    expect(told(rows)).toEqual([
      'conflict n1>s1 attribute number one-disabled',
      'conflict n2>s2 attribute number administrator',
      'conflict n3>s3 attribute number gone',
      'merged n0>s0 attribute number',
      'merged n4>s4 attribute number',
      'merged n5>s5 attribute number',
    ])
  })

  test('in the middle of which one is disabled leaves them disabled, and out', async () => {
    const house = await world(MANY.slice(0, 2))
    const told: string[] = []
    house.people.onDisabled(async (id) => void told.push(id))
    let once = true
    house.people.merging.onMerged({
      records: async () => {},
      async state(from) {
        if (once) await house.people.disable(from, 'cli')
        once = false
      },
    })
    await merged(house)
    const survivor = house.ids['s0']!
    expect((await house.people.byId(survivor))?.disabled).toBe(true)
    expect(told).toContain(survivor)
  })

  test('in the middle of which the survivor is removed leaves the other as they were', async () => {
    const house = await world(MANY.slice(0, 2))
    let calls = 0
    house.people.merging.onMerged({
      records: async () => {},
      async state() {
        if (++calls === 1) throw new Error('killed')
      },
    })
    await expect(merged(house)).rejects.toThrow('killed')
    await house.people.remove(house.ids['s0']!, 'cli')
    expect(told(await merged(house))).toEqual(['orphan n0>'])
    // nothing of theirs went to somebody who is not there
    expect(calls).toBe(1)
    expect(await house.people.byId(house.ids['n0']!)).toMatchObject({ username: 'n0', disabled: false })
  })

  test.each(['s0', 'n0'])('in the middle of which %s is removed leaves the other as they were', async (removed) => {
    const house = await world(MANY.slice(0, 2))
    let once = true
    house.people.merging.onMerged({
      records: async () => {},
      async state() {
        if (once) await house.people.remove(house.ids[removed]!, 'cli')
        once = false
      },
    })
    expect(told(await merged(house))).toEqual(['conflict n0>s0 attribute number gone'])
    const other = removed === 's0' ? 'n0' : 's0'
    expect(await house.people.list()).toMatchObject([{ username: other, disabled: false }])
    expect(told((await planned(house.people, NUMBERS)).rows)).toEqual([other === 'n0' ? 'orphan n0>' : 'orphan >s0'])
    expect(await house.audit.search({ event: 'person-merged' })).toEqual([])
  })

  test('never makes a second one of the directory the same person', async () => {
    const house = await world([...MANY.slice(0, 2), north('other')])
    await merged(house)
    const options = { pairs: 'from,into\nother,s0\n' }
    const before = await planned(house.people, `${NUMBERS}pairs: p.csv\n`, options)
    const rows = await merged(house, `${NUMBERS}pairs: p.csv\n`, options)
    expect(told(rows)).toEqual(told(before.rows))
    expect(told(rows)).toEqual(['conflict other>s0 pair merged-before', 'merged-before n0>s0'])
    expect(await house.people.find('other')).toBeDefined()
  })
})
