/** Who somebody is here who comes from another provider: what the settings believe, and nothing else. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Belief } from '../../src/directory/federation/belief.ts'
import type { Vouched } from '../../src/directory/federation/federated.ts'
import { known, world } from './federation-house.ts'
import { refusalOf } from './house.ts'

describe('a verified mail address', () => {
  const sam = { username: 'sam', name: 'Sam', mail: 'sam@partner.example', mailVerified: true }

  test('of its own domain is the person here who has verified the same', async () => {
    const { people, come } = await world()
    const { id } = await people.add(sam, 'test')
    expect((await known(come({ mail: 'Sam@Partner.example', mailVerified: true }))).id).toBe(id)
  })

  test.each([
    ['that the provider has not verified', sam, { mail: sam.mail }],
    ['that nobody has verified here', { ...sam, mailVerified: false }, { mail: sam.mail, mailVerified: true }],
    [
      'of a domain that is not its own',
      { ...sam, mail: 'sam@kestrel.example' },
      { mail: 'sam@kestrel.example', mailVerified: true },
    ],
    [
      'of a domain below its own',
      { ...sam, mail: 'sam@shop.partner.example' },
      { mail: 'sam@shop.partner.example', mailVerified: true },
    ],
    [
      'of a domain that ends like its own',
      { ...sam, mail: 'sam@notpartner.example' },
      { mail: 'sam@notpartner.example', mailVerified: true },
    ],
    ['of an administrator', { ...sam, groups: ['administrators'] }, { mail: sam.mail, mailVerified: true }],
  ])('%s makes somebody else', async (_, person, said) => {
    const { people, come } = await world()
    const { id } = await people.add(person, 'test')
    const arrived = await known(come(said))
    expect(arrived.id).not.toBe(id)
    expect(await people.identities(id)).toEqual([])
  })

  test('that two people have connects neither', async () => {
    const { people, come } = await world()
    const ids = [await people.add(sam, 'test'), await people.add({ ...sam, username: 'sam2' }, 'test')].map(
      ({ id }) => id,
    )
    expect(ids).not.toContain((await known(come({ mail: sam.mail, mailVerified: true }))).id)
  })

  test('says nothing where the settings do not believe it', async () => {
    const { people, come } = await world({ link: { mail: false } })
    const { id } = await people.add(sam, 'test')
    expect((await known(come({ mail: sam.mail, mailVerified: true }))).id).not.toBe(id)
  })

  test('does not bring back somebody switched off as somebody new', async () => {
    const { people, come } = await world()
    const { id } = await people.add(sam, 'test')
    await people.disable(id, 'test')
    expect(await refusalOf(come({ mail: sam.mail, mailVerified: true }))).toBe('person-disabled')
    expect(await people.list({})).toHaveLength(1)
  })

  test('is the same person to the second account of the provider only once', async () => {
    const { people, come } = await world()
    const { id } = await people.add(sam, 'test')
    const said = { mail: sam.mail, mailVerified: true }
    expect((await known(come(said))).id).toBe(id)
    expect((await known(come({ ...said, upstreamId: 'two' }))).id).not.toBe(id)
  })
})

test('an attribute that the settings believe says who it is, exactly', async () => {
  const { people, come } = await world()
  const { id } = await people.add({ username: 'sam', name: 'Sam', attributes: { employee_number: ['4711'] } }, 'test')
  await people.add(
    { username: 'lee', name: 'Lee', attributes: { badge: ['4711'], employee_number: ['47110'] } },
    'test',
  )
  expect((await known(come({ attributes: { badge: ['4711'] } }))).id).not.toBe(id)
  expect((await known(come({ upstreamId: 'two', attributes: { employee_number: ['47%'] } }))).id).not.toBe(id)
  expect((await known(come({ upstreamId: 'three', attributes: { employee_number: ['4711'] } }))).id).toBe(id)
})

test('a number that a provider gives somebody counts for another one only where it is believed in it itself', async () => {
  const number = { attributes: { employee_number: ['4711'] } }
  const other = (link: Belief['link']): Belief => ({ id: 'other', domains: [], newcomers: 'create', link })
  for (const [link, same] of [
    [undefined, false],
    [{ mail: true, attribute: 'badge' }, false],
    [{ mail: false, attribute: 'employee_number' }, true],
  ] as const) {
    const { come } = await world({}, other(link))
    const waiting = await known(come(number, {}, 'other'))
    expect((await known(come({ ...number, upstreamId: 'two' }))).id === waiting.id).toBe(same)
  }
})

describe('whoever stands in break_glass', () => {
  const glass = {
    username: 'glass',
    name: 'Glass',
    mail: 'glass@partner.example',
    mailVerified: true,
    attributes: { employee_number: ['4711'] },
  }

  test.each([
    ['by a verified mail address', { mail: glass.mail, mailVerified: true }],
    ['by an attribute', { attributes: glass.attributes }],
  ])('is not connected by a rule: %s', async (_, said) => {
    const { people, come } = await world()
    const { id } = await people.add(glass, 'test')
    expect((await known(come(said))).id).not.toBe(id)
    expect(await people.identities(id)).toEqual([])
    // and it is the name that keeps them: the same person called otherwise is
    const other = await world()
    const { id: connected } = await other.people.add({ ...glass, username: 'pane' }, 'test')
    expect((await known(other.come(said))).id).toBe(connected)
  })

  test('is not signed in as from a provider, though a hand has connected them', async () => {
    const { people, come, link } = await world()
    const { id } = await people.add({ ...glass, username: 'GLASS' }, 'test')
    await link(id)
    expect(await refusalOf(come({}))).toBe('local-sign-in-only')
    expect((await known(come({ upstreamId: 'two' }))).id).not.toBe(id)
  })

  test('cannot connect an account of their own either', async () => {
    const { people, federation } = await world({ newcomers: 'ask' })
    const { id } = await people.add(glass, 'test')
    const arrived = {
      directory: 'partner',
      vouched: { person: { upstreamId: 'one', usernames: ['x'], name: 'X', groups: [] } },
    }
    expect(await refusalOf(federation.connect(arrived as never, id))).toBe('local-sign-in-only')
    expect(await people.identities(id)).toEqual([])
  })

  test('lends their name to nobody from elsewhere, also while they are not there yet', async () => {
    const { come } = await world({ usernames: 'plain' })
    expect((await known(come({ usernames: ['Glass'] }))).username).toBe('Glass@partner')
    expect((await known(come({ upstreamId: 'two', usernames: ['pane'] }))).username).toBe('pane')
  })
})

test('an administrator is not connected by a rule, and signs in by what a hand has connected', async () => {
  const { people, come, link } = await world()
  const { id } = await people.add(
    { username: 'ada', name: 'Ada', groups: ['administrators'], attributes: { employee_number: ['4711'] } },
    'test',
  )
  const said = { attributes: { employee_number: ['4711'] } }
  expect((await known(come({ ...said, upstreamId: 'two' }))).id).not.toBe(id)
  await link(id)
  expect((await known(come(said))).id).toBe(id)
})

test('what becomes of newcomers is for the settings to say', async () => {
  expect(await (await world({ newcomers: 'ask' })).come({})).toMatchObject({
    kind: 'newcomer',
    may: ['create', 'prove'],
  })
  expect(await (await world({ newcomers: 'prove' })).come({})).toMatchObject({ kind: 'newcomer', may: ['prove'] })
  expect(await refusalOf((await world({ newcomers: 'refuse' })).come({}))).toBe('newcomer-refused')
  expect(await (await world({ newcomers: 'create' })).come({})).toMatchObject({ kind: 'known' })
})

test('one identity is one person, whoever links it at the same time', async () => {
  const { people, federation } = await world()
  const ids: string[] = []
  for (let i = 0; i < 8; i++) ids.push((await people.add({ username: `p${i}`, name: 'P' }, 'test')).id)
  const arrived = {
    directory: 'partner',
    vouched: { person: { upstreamId: 'one', usernames: ['x'], name: 'X', groups: [] } },
  }
  const results = await Promise.allSettled(ids.map((id) => federation.connect(arrived as never, id)))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

describe('what it is worth', () => {
  const worth = async (about: Partial<Vouched>) => {
    const one = await world()
    one.says = {
      person: { upstreamId: 'one', usernames: ['x'], name: 'X', groups: [] },
      amr: [],
      at: one.now(),
      session: { subject: 'one' },
      ...about,
    }
    return (await one.federation.finish('partner', { url: new URL('http://x'), form: new Map() }, {})).proof
  }
  const HOUR = 3_600_000

  test('is what a rule of the settings says, the strongest of those that hold', async () => {
    const now = (await world()).now()
    expect((await worth({})).assurance).toBe('any')
    expect((await worth({ amr: ['pwd'] })).assurance).toBe('any')
    expect((await worth({ amr: ['pwd', 'mfa'] })).assurance).toBe('two-factors')
    expect((await worth({ amr: ['mfa'], acr: 'phr' })).assurance).toBe('phishing-resistant')
    expect((await worth({ amr: ['mfa'], at: now - 13 * HOUR })).assurance).toBe('any')
    expect((await worth({ amr: ['mfa'], at: undefined })).assurance).toBe('any')
    expect((await worth({ acr: 'hardware' })).assurance).toBe('any')
  })

  test('is as old as the sign-in there, and no younger than now', async () => {
    const now = (await world()).now()
    expect((await worth({ at: now - HOUR })).at).toBe(now - HOUR)
    expect((await worth({ at: now + HOUR })).at).toBe(now)
    expect(await worth({ at: undefined })).toMatchObject({ at: now, ageUnknown: true })
  })
})

test('for all that a provider may say, it reaches nobody whom it does not speak for', async () => {
  const domain = fc.constantFrom(
    'partner.example',
    'kestrel.example',
    'PARTNER.EXAMPLE',
    'x.partner.example',
    'evil.example',
  )
  const who = fc.constantFrom('sam', 'lee', 'kim', 'Sam')
  const mail = fc.tuple(who, domain)
  const said = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    names: fc.array(fc.oneof(who, mail), { minLength: 1, maxLength: 2 }),
    groups: fc.constantFrom<string[]>([], ['administrators'], ['staff']),
    mail: fc.option(mail, { nil: undefined }),
    mailVerified: fc.boolean(),
    number: fc.constantFrom(undefined, '1', '2'),
  })
  const person = fc.record({
    mail: fc.option(mail, { nil: undefined }),
    mailVerified: fc.boolean(),
    groups: fc.constantFrom<string[]>([], ['administrators']),
    number: fc.constantFrom(undefined, '1', '2'),
  })
  // one database for all runs: each has people, names and numbers of its own
  const { people, come } = await world()
  let run = 0
  let connected = 0
  const check = async (list: readonly P[], arrivals: readonly S[]) => {
    const own = `-${++run}`
    const address = ([local, at]: readonly [string, string]) => `${local}${own}@${at}`
    const numbers = (number: string | undefined) => (number ? { employee_number: [number + own] } : {})
    const here = new Map<string, P>()
    for (const [i, one] of list.entries()) {
      const { mail: theirs, mailVerified, groups, number } = one
      const more = { mailVerified, groups, attributes: numbers(number), ...(theirs ? { mail: address(theirs) } : {}) }
      here.set((await people.add({ username: `${NAMES[i]!}${own}`, name: 'P', ...more }, 'test')).id, one)
    }
    const before = new Set<string>()
    for (const { id, names, groups, mail: theirs, mailVerified, number } of arrivals) {
      const upstreamId = id + own
      const usernames = names.map((one) => (typeof one === 'string' ? one + own : address(one)))
      const arrived = await known(
        come({
          upstreamId,
          usernames: usernames as [string, ...string[]],
          groups,
          mailVerified,
          attributes: numbers(number),
          ...(theirs ? { mail: address(theirs) } : {}),
        }),
      )
      const match = here.get(arrived.id)
      if (!match) {
        // somebody of the provider: nothing of another domain, no administrator, nobody's name
        expect(arrived.mail?.toLowerCase().endsWith('@partner.example') ?? true).toBe(true)
        expect(arrived.groups).not.toContain('administrators')
        const [, at] = arrived.username.split('@')
        expect(['partner', 'partner.example']).toContain(at?.toLowerCase())
        expect(NAMES.slice(0, list.length).map((name) => name + own)).not.toContain(arrived.username.toLowerCase())
      } else if (!before.has(`${upstreamId} ${arrived.id}`)) {
        connected++
        expect(match.groups).toEqual([])
        const byMail =
          mailVerified &&
          match.mailVerified &&
          theirs?.[1].toLowerCase() === 'partner.example' &&
          address(theirs).toLowerCase() === (match.mail && address(match.mail).toLowerCase())
        expect(byMail || (number !== undefined && number === match.number)).toBe(true)
      }
      before.add(`${upstreamId} ${arrived.id}`)
    }
  }
  type P = typeof person extends fc.Arbitrary<infer T> ? T : never
  type S = typeof said extends fc.Arbitrary<infer T> ? T : never
  const lists = [
    fc.array(person, { minLength: 1, maxLength: 3 }),
    fc.array(said, { minLength: 1, maxLength: 3 }),
  ] as const
  await fc.assert(fc.asyncProperty(...lists, check), { numRuns: 500 })
  expect(connected).toBeGreaterThan(50)
})

const NAMES = ['sam', 'lee', 'kim']

describe('what was found by attacking it', () => {
  test('nobody there takes the name of somebody there', async () => {
    for (const usernames of ['qualified', 'plain'] as const) {
      const { come } = await world({ usernames })
      const vera = await known(come({ upstreamId: 'vera', usernames: ['vera'] }))
      const mallory = await known(come({ upstreamId: 'mallory', usernames: ['vera'] }))
      expect(mallory.username).not.toBe(vera.username)
      // and it stays with them
      expect((await known(come({ upstreamId: 'vera', usernames: ['vera'] }))).username).toBe(vera.username)
      const third = await known(come({ upstreamId: 'third', usernames: ['vera'] }))
      expect(new Set([vera.username, mallory.username, third.username]).size).toBe(3)
    }
  })

  test('an address is a name only where it was verified', async () => {
    const { come } = await world()
    const said = { usernames: ['ceo@partner.example'] as [string], mail: 'ceo@partner.example' }
    expect((await known(come(said))).username).not.toContain('ceo')
    expect((await known(come({ ...said, upstreamId: 'two', mailVerified: true }))).username).toBe('ceo@partner.example')
  })

  test('what was taken from somebody by hand is not given back by a rule', async () => {
    const { people, come, unlink, link } = await world()
    const { id } = await people.add(
      { username: 'sam', name: 'Sam', mail: 'sam@partner.example', mailVerified: true },
      'test',
    )
    const said = { mail: 'sam@partner.example', mailVerified: true }
    expect((await known(come(said))).id).toBe(id)
    await unlink(id)
    const other = await known(come({ ...said, upstreamId: 'one' }))
    expect(other.id).not.toBe(id)
    await people.remove(other.id, 'test')
    await link(id)
    expect((await known(come(said))).id).toBe(id)
  })

  test('a letter of another script makes nobody of ours', async () => {
    const { people, come } = await world()
    const kim = { username: 'kim', name: 'Kim', mail: 'kim@partner.example', mailVerified: true }
    const { id } = await people.add(kim, 'test')
    expect((await known(come({ mail: '\u212Aim@partner.example', mailVerified: true }))).id).not.toBe(id)
  })

  test('a newcomer whom somebody connected in between is not let in as them', async () => {
    const { people, federation, link } = await world({ newcomers: 'ask' })
    const { id } = await people.add({ username: 'paula', name: 'Paula' }, 'test')
    const arrived = {
      directory: 'partner',
      vouched: { person: { upstreamId: 'one', usernames: ['x'], name: 'X', groups: [] } },
    }
    await link(id)
    expect(await refusalOf(federation.create(arrived as never))).toBe('state-conflict')
  })

  test('apps are told of methods that are believed, and of nothing that is none', async () => {
    const said = (more: Partial<Belief>) => async (amr: string[]) => {
      const one = await world(more)
      one.says = {
        person: { upstreamId: 'one', usernames: ['x'], name: 'X', groups: [] },
        amr,
        at: one.now(),
        session: { subject: 'one' },
      }
      return (await one.federation.finish('partner', { url: new URL('http://x'), form: new Map() }, {})).proof.amr
    }
    expect(await said({ assurance: [] })(['pwd', 'mfa', 'hwk', 'x'.repeat(1000), 'pwd'])).toEqual(['pwd'])
    expect(await said({})(['pwd', 'otp', 'mfa'])).toEqual(['pwd', 'otp', 'mfa'])
  })
})
