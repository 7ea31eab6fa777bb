/** What every kind of directory does behind the host, whatever it is made of. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Directory } from '#config'
import type { Person } from '#directory'
import { LOCAL, openHouse, type TestHouse } from '../directory/house.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'

interface Fixture {
  /** Ready with: sam (groups care, staff), zoë, kim (groups administrators, staff) without a password. */
  start(): Promise<void>
  end(): Promise<void>
  settings(): Directory
  fill(house: TestHouse): Promise<void>
}

const PASSWORD = 'correct horse'
let slapd: Slapd

/** Those that check passwords; `test/contracts/provider-kind.test.ts` has the others. */
const FIXTURES: Record<Exclude<Directory['kind'], 'oidc' | 'saml'>, Fixture> = {
  local: {
    async start() {},
    async end() {},
    settings: () => LOCAL,
    async fill({ people }) {
      await people.add(
        {
          username: 'sam',
          name: 'Sam Jansen',
          groups: ['staff', 'care'],
          mail: 'sam@kestrel.example',
          language: 'nl',
          password: PASSWORD,
        },
        'cli',
      )
      await people.add({ username: 'zoë', name: 'Zoë Bakker', password: 'pässwörd of zoë' }, 'cli')
      await people.add({ username: 'kim', name: 'Kim', groups: ['administrators', 'staff'] }, 'cli')
    },
  },
  ldap: {
    async start() {
      slapd = await startSlapd(
        [
          {
            uid: 'sam',
            name: 'Sam Jansen',
            password: PASSWORD,
            mail: 'sam@kestrel.example',
            language: 'nl-NL, en;q=0.5',
          },
          { uid: 'zoë', name: 'Zoë Bakker', password: 'pässwörd of zoë' },
          { uid: 'kim', name: 'Kim' },
        ],
        { staff: ['sam', 'kim'], care: ['sam'], administrators: ['kim'] },
      )
    },
    end: () => slapd.end(),
    settings: () => slapd.settings(),
    async fill() {},
  },
}

const NOBODY = [
  '*',
  '**',
  's*',
  '(',
  ')',
  'sam)(uid=*',
  '*)(uid=*',
  'sam)(|(uid=*',
  ')(uid=*',
  '*))(|(uid=*',
  '\\',
  '\\2a',
  '\\73am',
  'sam\\00',
  'sam\u0000',
  'sam\u0000*',
  '&',
  '|',
  '!',
  '(uid=sam)',
  'uid=sam',
  '{username}',
  '{dn}',
  'ѕam',
  'ｓａｍ',
  'ſam',
  's\u200bam',
  'sam\u202e',
  's am',
  'sa\u00adm',
  'sam,ou=people',
  'sam#',
  '" or 1=1 --',
  "' or '1'='1",
  'sam%',
  's_m',
  '',
  ' ',
  '\ud800',
  '🐦',
  'x'.repeat(129),
  'x'.repeat(100_000),
] // prettier-ignore

describe.each(Object.entries(FIXTURES))('a directory of kind %s', (kind, fixture) => {
  beforeAll(() => fixture.start())
  afterAll(() => fixture.end())
  const open = async () => {
    const house = await openHouse([fixture.settings()])
    await fixture.fill(house)
    return house
  }

  test('finds a person by name, gives the same id every time, and knows groups, mail and language', async () => {
    const { people } = await open()
    const sam = (await people.find(' SAM ')) as Person
    expect(sam).toMatchObject({
      username: 'sam',
      directory: fixture.settings().id,
      name: 'Sam Jansen',
      mail: 'sam@kestrel.example',
      mailVerified: false,
      language: 'nl',
      disabled: false,
    })
    expect(sam.groups).toEqual(['care', 'staff'])
    expect(sam.id).toMatch(/^[\w-]{22}$/)
    expect(await people.find('sam')).toEqual(sam)
    expect(await people.byId(sam.id)).toEqual(sam)
    expect((await people.list()).map(({ id }) => id)).toContain(sam.id)
  })

  test('takes the right password and no other', async () => {
    const { people } = await open()
    const sam = (await people.find('sam')) as Person
    expect(await people.verifyPassword('Sam', PASSWORD)).toEqual(sam)
    for (const password of ['wrong horse', 'CORRECT HORSE', `${PASSWORD} `, `${PASSWORD}\u0000`, '', 'x'.repeat(300)]) {
      expect(await people.verifyPassword('sam', password), JSON.stringify(password.slice(0, 20))).toBe('wrong')
    }
  })

  test('takes names and passwords outside ASCII in both compositions', async () => {
    const { people } = await open()
    expect(await people.verifyPassword('zoë', 'pässwörd of zoë')).toMatchObject({ name: 'Zoë Bakker' })
    expect(await people.verifyPassword('ZOE\u0308', 'pa\u0308sswo\u0308rd of zoe\u0308')).toMatchObject({
      name: 'Zoë Bakker',
    })
  })

  test('an empty password and a person without a password are wrong', async () => {
    const { people } = await open()
    for (const username of ['sam', 'kim', 'nobody']) {
      expect(await people.verifyPassword(username, '')).toBe('wrong')
      expect(await people.verifyPassword(username, 'some password')).toBe('wrong')
    }
  })

  test('known to be in no group is not the same as unknown', async () => {
    const { people } = await open()
    expect((await people.find('zoë'))?.groups).toEqual([])
  })

  test('administrators are made here: what another directory calls so makes none', async () => {
    const { people } = await open()
    const { id, groups } = (await people.find('kim')) as Person
    expect(groups).toEqual(kind === 'local' ? ['administrators', 'staff'] : ['staff'])
    expect((await people.list({ group: 'administrators' })).map((person) => person.id)).toEqual(
      kind === 'local' ? [id] : [],
    )
    await people.addToGroup(id, 'administrators', 'cli')
    expect(await people.refresh(id)).toMatchObject({ groups: ['administrators', 'staff'] })
    await people.removeFromGroup(id, 'administrators', 'cli', { force: true })
    expect(await people.refresh(id)).toMatchObject({ groups: ['staff'] })
  })

  test('what is written into the name finds nobody and breaks nothing', async () => {
    const { people } = await open()
    for (const typed of NOBODY) expect(await people.find(typed), JSON.stringify(typed.slice(0, 40))).toBeUndefined()
    for (const typed of NOBODY)
      expect(await people.verifyPassword(typed, PASSWORD), JSON.stringify(typed.slice(0, 40))).toBe('wrong')
  })

  test('an attempt costs one hash, whoever it is for', async () => {
    const { people, hashing } = await open()
    for (const [username, password] of [
      ['sam', PASSWORD],
      ['sam', 'wrong horse'],
      ['kim', PASSWORD],
      ['nobody', PASSWORD],
    ] as const) {
      const before = hashing.load().done
      await people.verifyPassword(username, password)
      expect(hashing.load().done - before, `${kind} ${username}`).toBe(1)
    }
  })

  test('a person disabled here stays out with the right password', async () => {
    const { people } = await open()
    const sam = (await people.find('sam')) as Person
    await people.disable(sam.id, 'cli')
    expect(await people.verifyPassword('sam', PASSWORD)).toBe('wrong')
    expect((await people.find('sam'))?.disabled).toBe(true)
    await people.enable(sam.id, 'cli')
    expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ id: sam.id })
  })

  test('fifty first sign-ins at once make one person', async () => {
    const { people } = await open()
    const all = await Promise.all(Array.from({ length: 50 }, () => people.find('sam')))
    expect(new Set(all.map((person) => person?.id)).size).toBe(1)
    expect((await people.list({ search: 'sam' })).length).toBe(1)
  })

  test('tells each step of a test', async () => {
    const { people } = await open()
    const steps = await people.test(fixture.settings().id, 'sam')
    expect(steps.every(({ ok }) => ok)).toBe(true)
    const names = steps.map(({ step }) => step)
    expect(names.slice(names.indexOf('person')).slice(0, 2)).toEqual(['person', 'groups'])
    expect(steps.find(({ step }) => step === 'groups')?.say).toBe('care, staff')
    const failed = await people.test(fixture.settings().id, 'nobody')
    expect(failed.at(-1)).toMatchObject({ ok: false, fix: expect.any(String) })
  })
})
