/** A directory that is down, through a real LDAP server behind a way that is cut: who may sign in, and what follows. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Directory } from '#config'
import type { Person, SeenDevice } from '#directory'
import { type LdapSettings, type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { LOCAL, openHouse, refusalOf } from './house.ts'

const HOUR = 3_600_000
const PASSWORD = 'correct horse'
const KNOWN: SeenDevice = { known: true, enrolled: false }
const TABLET: SeenDevice = { known: false, enrolled: true }
const STRANGE: SeenDevice = { known: false, enrolled: false }
const DEGRADED = {
  verified_within: '24h',
  devices: ['known', 'enrolled'],
  tiers: ['standard'],
  for: '4h',
} satisfies LdapSettings['degraded']

let slapd: Slapd
beforeAll(async () => {
  slapd = await startSlapd(
    ['sam', 'ann', 'bob', 'kim', 'leo'].map((uid) => ({ uid, name: uid, password: PASSWORD })),
    { staff: ['sam', 'ann', 'bob'], care: ['sam'] },
  )
})
afterAll(() => slapd.end())

const replace = (uid: string, attribute: string, value: string) =>
  slapd.modify(`dn: ${slapd.dn(uid)}\nchangetype: modify\nreplace: ${attribute}\n${attribute}: ${value}\n`)

async function open(changes: Partial<LdapSettings> = {}, others: readonly Directory[] = []) {
  const way = await startTcpProxy({ to: slapd.port })
  const plain = { url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '1s' }
  const settings = [slapd.settings({ ...plain, degraded: DEGRADED, ...changes }), ...others]
  const house = await openHouse(settings)
  onTestFinished(async () => {
    house.people.close()
    await way.close()
  })
  // a server does nothing else all the time
  await house.people.look()
  /** Whatever the clockwork does in this time, five times a second. */
  async function pass(ms: number, people = house.people) {
    for (let passed = 0; passed < ms; passed += 200) {
      house.clock.pass(200)
      await people.look()
    }
  }
  const events = async (event: string) =>
    (await house.audit.search({ limit: 1000 })).filter((entry) => entry.event === event)
  return { ...house, way, settings, pass, events, again: () => house.reopen(settings) }
}

type Opened = Awaited<ReturnType<typeof open>>

const signIn = async ({ people }: Pick<Opened, 'people'>, ...names: string[]): Promise<Person[]> => {
  const all = await Promise.all(names.map((name) => people.verifyPassword(name, PASSWORD)))
  return all.map((one) => {
    if (typeof one === 'string' || !('id' in one)) throw new Error('the fixture knows this password')
    return one
  })
}

describe('while it is down', () => {
  test('a password that it took lately is taken on a known or enrolled device, from the first try on', async () => {
    const { people, way, events } = await open()
    const [sam] = await signIn({ people }, 'sam')
    way.cut()
    for (const device of [KNOWN, TABLET])
      expect(await people.verifyPassword('SAM ', PASSWORD, device)).toEqual({ remembered: sam })
    expect(people.states()).toMatchObject([{ id: 'staff', state: 'down', degraded: true }])
    expect(await events('directory-down')).toMatchObject([{ actor: 'system', reason: 'staff' }])
    // and nobody waits for it any more
    const tried = way.connections
    for (let i = 0; i < 20; i++) await people.verifyPassword('sam', PASSWORD, KNOWN)
    for (let i = 0; i < 20; i++) expect(await refusalOf(people.find(`nobody${i}`))).toBe('directory-unavailable')
    expect(way.connections).toBe(tried)
  })

  test('on any other device everybody is told the same as without all this', async () => {
    const { people, way } = await open()
    await signIn({ people }, 'sam')
    way.cut()
    for (const [name, password] of [
      ['sam', PASSWORD],
      ['sam', 'wrong horse'],
      ['kim', PASSWORD],
      ['nobody', PASSWORD],
    ] as const)
      expect(await refusalOf(people.verifyPassword(name, password, STRANGE))).toBe('directory-unavailable')
    expect(await refusalOf(people.verifyPassword('sam', PASSWORD))).toBe('directory-unavailable')
  })

  test('on a device that fits there is one answer, whether the password is wrong, the person not seen lately, or nobody', async () => {
    const { people, way, hashing } = await open()
    const [, ann] = await signIn({ people }, 'sam', 'ann')
    await people.find('kim')
    await people.disable(ann!.id, 'cli')
    way.cut()
    await refusalOf(people.find('nobody'))
    for (const device of [KNOWN, TABLET])
      for (const [name, password] of [
        ['sam', 'wrong horse'],
        ['ann', PASSWORD],
        ['kim', PASSWORD],
        ['leo', PASSWORD],
        ['nobody', PASSWORD],
      ] as const) {
        const before = hashing.load().done
        expect(await people.verifyPassword(name, password, device), name).toBe('unconfirmed')
        expect(hashing.load().done - before, name).toBe(1)
      }
    const before = hashing.load().done
    expect(await people.verifyPassword('sam', PASSWORD, KNOWN)).toHaveProperty('remembered')
    expect(hashing.load().done - before).toBe(1)
    // switched on again: nobody confirmed them since
    await people.enable(ann!.id, 'cli')
    expect(await people.verifyPassword('ann', PASSWORD, KNOWN)).toBe('unconfirmed')
    expect((await people.list()).map(({ username }) => username)).toEqual(['ann', 'kim', 'sam'])
  })

  test('only the devices that the settings name count', async () => {
    const { people, way } = await open({ degraded: { ...DEGRADED, devices: ['enrolled'] } })
    await signIn({ people }, 'sam')
    way.cut()
    expect(await refusalOf(people.verifyPassword('sam', PASSWORD, KNOWN))).toBe('directory-unavailable')
    expect(await people.verifyPassword('sam', PASSWORD, TABLET)).toHaveProperty('remembered')
  })

  test('nobody is taken who was confirmed too long ago, and nobody at all when the time is over', async () => {
    const house = await open()
    const { people, way, clock, pass, again } = house
    const [sam] = await signIn(house, 'sam')
    clock.pass(21 * HOUR)
    const [ann] = await signIn(house, 'ann')
    way.cut()
    await pass(2000)
    const { since } = people.states()[0]!
    const outageOf = async (person: Person) => (await people.standing(person)).outage
    expect(await outageOf(ann!)).toMatchObject({ since, until: since! + 4 * HOUR, tiers: ['standard'] })
    expect((await outageOf(sam!))!.until).toBeLessThan(since! + 3 * HOUR)
    clock.pass(3 * HOUR)
    expect(await people.verifyPassword('sam', PASSWORD, KNOWN)).toBe('unconfirmed')
    expect(await refusalOf(people.refresh(sam!.id, KNOWN))).toBe('directory-unavailable')
    expect(await people.verifyPassword('ann', PASSWORD, KNOWN)).toEqual({ remembered: ann })
    // neither a restart nor looking prolongs it
    clock.pass(HOUR)
    const restarted = await again()
    onTestFinished(() => restarted.close())
    await pass(1000, restarted)
    for (const one of [people, restarted])
      expect(await refusalOf(one.verifyPassword('ann', PASSWORD, KNOWN))).toBe('directory-unavailable')
    expect((await restarted.standing(ann!)).outage).toMatchObject({ until: since! + 4 * HOUR })
  })

  test('a passkey asks the same: confirmed lately, on such a device', async () => {
    const house = await open()
    const { people, way } = house
    const [sam] = await signIn(house, 'sam')
    const kim = (await people.find('kim'))!
    way.cut()
    expect(await people.refresh(sam!.id, KNOWN)).toEqual(sam)
    expect(await refusalOf(people.refresh(sam!.id, STRANGE))).toBe('directory-unavailable')
    expect(await refusalOf(people.refresh(kim.id, KNOWN))).toBe('directory-unavailable')
  })

  test('a restart goes on where it was: the first sign-in is served without asking', async () => {
    const house = await open()
    const { people, way, again } = house
    await signIn(house, 'sam')
    way.cut()
    await people.verifyPassword('sam', PASSWORD, KNOWN)
    const tried = way.connections
    const restarted = await again()
    onTestFinished(() => restarted.close())
    expect(restarted.states()).toEqual(people.states())
    expect(await restarted.verifyPassword('sam', PASSWORD, KNOWN)).toHaveProperty('remembered')
    expect(way.connections).toBe(tried)
  })
})

describe('what is kept of a password', () => {
  const kept = async ({ storage }: Opened): Promise<{ phc: string | null }[]> =>
    storage.records.selectFrom('directory_confirmed').selectAll().execute() as never

  test('is a hash, and nothing where nothing is declared', async () => {
    const house = await open()
    const { hashing, people } = house
    for (const [name, password] of [
      ['sam', PASSWORD],
      ['sam', PASSWORD],
      ['sam', 'wrong horse'],
      ['kim', 'wrong horse'],
      ['nobody', PASSWORD],
    ] as const) {
      const before = hashing.load().done
      await people.verifyPassword(name, password)
      // the one that each try costs anyway
      expect(hashing.load().done - before, `${name} ${password}`).toBe(1)
    }
    expect(await kept(house)).toMatchObject([{ phc: expect.stringMatching(/^\$argon2id\$/) }])
    const plain = await open({ degraded: undefined })
    const [sam] = await signIn(plain, 'sam')
    expect(await kept(plain)).toEqual([])
    plain.way.cut()
    for (let i = 0; i < 5; i++)
      expect(await refusalOf(plain.people.verifyPassword('sam', PASSWORD, KNOWN))).toBe('directory-unavailable')
    expect(plain.people.states()).toMatchObject([{ state: 'down', degraded: false }])
    expect(await plain.people.standing(sam!)).toEqual({ person: sam })
    expect(await plain.people.refresh(sam!.id, STRANGE)).toEqual(sam)
  })

  test('goes when the directory does not take it any more, and stays when somebody mistypes', async () => {
    const house = await open()
    const { people, way } = house
    await signIn(house, 'bob')
    expect(await people.verifyPassword('bob', 'typo')).toBe('wrong')
    expect((await kept(house))[0]!.phc).not.toBeNull()
    await replace('bob', 'userPassword', 'another horse')
    onTestFinished(() => replace('bob', 'userPassword', PASSWORD))
    expect(await people.verifyPassword('bob', PASSWORD)).toBe('wrong')
    expect((await kept(house))[0]!.phc).toBeNull()
    way.cut()
    expect(await people.verifyPassword('bob', PASSWORD, KNOWN)).toBe('unconfirmed')
  })

  test('goes when it is too old, also where nobody looks at it', async () => {
    const house = await open()
    await signIn(house, 'sam')
    await house.pass(200)
    expect(await kept(house)).toHaveLength(1)
    house.clock.pass(24 * HOUR)
    await house.pass(200)
    expect(await kept(house)).toEqual([])
  })

  test('goes with the person', async () => {
    const house = await open()
    const [sam, ann] = await signIn(house, 'sam', 'ann')
    await house.people.disable(sam!.id, 'cli')
    await house.people.remove(ann!.id, 'cli')
    expect(await kept(house)).toEqual([])
  })
})

describe('looking', () => {
  test('finds out that it is down and back without anybody signing in, and asks about once a second', async () => {
    const { people, way, pass, events } = await open()
    await pass(1000)
    expect(people.states()).toMatchObject([{ state: 'up' }])
    way.cut()
    await pass(18_000)
    expect(people.states()).toMatchObject([{ state: 'down' }])
    const before = way.connections
    await pass(60_000)
    expect(way.connections - before).toBeGreaterThan(40)
    expect(way.connections - before).toBeLessThan(110)
    way.restore()
    await pass(1000)
    expect(people.states()).toMatchObject([{ state: 'up' }])
    const ups = way.connections
    await pass(60_000)
    expect(way.connections - ups).toBeLessThan(12)
    for (const event of ['directory-down', 'directory-up', 'directory-judged-again'])
      expect(await events(event)).toHaveLength(1)
  })

  test('one failure is no outage', async () => {
    const { people, way, events } = await open({ degraded: undefined })
    for (let i = 0; i < 3; i++) {
      way.cut()
      expect(await refusalOf(people.find('nobody'))).toBe('directory-unavailable')
      way.restore()
      expect(people.states()).toMatchObject([{ state: 'up' }])
      expect(await people.find('nobody')).toBeUndefined()
    }
    expect(await events('directory-down')).toEqual([])
  })
})

describe('when it is back', () => {
  /** Three people who signed in before; then it is down, ann is deleted and bob changed there. */
  async function outage() {
    const house = await open()
    const [sam, ann, bob] = await signIn(house, 'sam', 'ann', 'bob')
    const told: string[] = []
    house.people.onDisabled(async (id) => void told.push(`gone ${id}`))
    house.people.onPasswordDoubtful(async (id) => void told.push(`doubtful ${id}`))
    house.way.cut()
    await house.people.verifyPassword('sam', PASSWORD, KNOWN)
    await slapd.modify(`dn: ${slapd.dn('ann')}\nchangetype: delete\n`)
    // the server tells whole seconds: the change must not fall into the one of the change before
    const second = Math.floor(Date.now() / 1000)
    await expect.poll(() => Math.floor(Date.now() / 1000)).toBeGreaterThan(second)
    await replace('bob', 'sn', `Changed ${process.hrtime.bigint()}`)
    await slapd.modify(
      `dn: cn=care,ou=groups,dc=kestrel,dc=example\nchangetype: modify\nadd: member\nmember: ${slapd.dn('bob')}\n`,
    )
    onTestFinished(async () => {
      await slapd.modify(
        `dn: ${slapd.dn('ann')}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: ann\ncn: ann\nsn: ann\nuserPassword: ${PASSWORD}\n`,
      )
      await slapd.modify(
        `dn: cn=care,ou=groups,dc=kestrel,dc=example\nchangetype: modify\ndelete: member\nmember: ${slapd.dn('bob')}\n`,
      )
    })
    return { ...house, sam: sam!, ann: ann!, bob: bob!, told }
  }

  test('who is gone is out within a second, groups are renewed, and only a changed entry makes a password doubtful', async () => {
    const { people, way, pass, sam, ann, bob, told, events } = await outage()
    await pass(4000)
    // nothing is known while it is down, and nothing is taken for "none"
    expect((await people.byId(bob.id))!.groups).toEqual(['staff'])
    expect(told).toEqual([])
    way.restore()
    await pass(1000)
    expect(told.sort()).toEqual([`doubtful ${bob.id}`, `gone ${ann.id}`].sort())
    expect((await people.byId(bob.id))!.groups).toEqual(['care', 'staff'])
    expect(await events('person-gone')).toMatchObject([{ subject: ann.id, reason: 'staff' }])
    expect(await events('directory-up')).toMatchObject([{ reason: 'staff', count: 3 }])
    expect(await events('directory-judged-again')).toMatchObject([{ reason: 'staff', count: 1 }])
    expect(await people.standing(sam)).toEqual({ person: sam })
    // what was kept of a password that may be another one is no good for the next outage
    way.cut()
    expect(await people.verifyPassword('sam', PASSWORD, KNOWN)).toHaveProperty('remembered')
    expect(await people.verifyPassword('bob', PASSWORD, KNOWN)).toBe('unconfirmed')
    expect(await people.verifyPassword('ann', PASSWORD, KNOWN)).toBe('unconfirmed')
  })

  test('a process that dies before everybody was judged leaves the list to the next, and who asks is judged first', async () => {
    const { people, way, pass, sam, ann, bob, told, again, storage } = await outage()
    people.close()
    way.restore()
    await pass(1000)
    expect(people.states()).toMatchObject([{ state: 'returning' }])
    const left = async () => (await storage.records.selectFrom('directory_to_judge').selectAll().execute()).length
    expect(await left()).toBe(3)
    const next = await again()
    next.onDisabled(async (id) => void told.push(`gone ${id}`))
    next.onPasswordDoubtful(async (id) => void told.push(`doubtful ${id}`))
    onTestFinished(() => next.close())
    // before any look: the directory itself is asked about whoever wants something
    expect(await next.standing(ann)).toEqual({ person: undefined })
    expect(told).toEqual([`gone ${ann.id}`])
    // the right password is no word for what was done before with another one
    expect(await next.verifyPassword('bob', PASSWORD, STRANGE)).toMatchObject({ groups: ['care', 'staff'] })
    expect(await left()).toBe(1)
    // and where it cannot be asked after all, they stand as in the outage
    way.cut()
    expect((await next.standing(sam)).outage).toMatchObject({ since: next.states()[0]!.since })
    way.restore()
    await pass(2000, next)
    expect(await left()).toBe(0)
    expect(next.states()).toMatchObject([{ state: 'up' }])
    expect(told).toEqual([`gone ${ann.id}`, `doubtful ${bob.id}`])
  })

  test('one that goes again before everybody was judged was not back: the time counts from the beginning', async () => {
    const { people, way, pass, clock, sam, again } = await outage()
    const { since } = people.states()[0]!
    people.close()
    clock.pass(HOUR)
    way.restore()
    await pass(1000)
    const next = await again()
    onTestFinished(() => next.close())
    way.cut()
    await pass(3000, next)
    expect(next.states()).toMatchObject([{ state: 'down', since }])
    expect((await next.standing(sam)).outage).toMatchObject({ since, until: since! + 4 * HOUR })
  })

  test('people with a session are judged as well, whatever is declared', async () => {
    const { people, way, pass } = await open({ degraded: undefined })
    const [leo] = await signIn({ people }, 'leo')
    const told: string[] = []
    people.onDisabled(async (id) => void told.push(id))
    people.alsoJudge(async function* () {
      for (const personId of [leo!.id, leo!.id, 'somebody else']) yield { personId, authenticated: [] }
    })
    way.cut()
    for (let i = 0; i < 2; i++) await refusalOf(people.verifyPassword('leo', PASSWORD))
    await slapd.modify(`dn: ${slapd.dn('leo')}\nchangetype: delete\n`)
    way.restore()
    await pass(2000)
    expect(told).toEqual([leo!.id])
  })
})

test('a command that meets an outage leaves nothing behind, and a server that was told before writes it down', async () => {
  const { people, way, again, storage, pass, events } = await open()
  const rows = () => storage.records.selectFrom('directory_outages').selectAll().execute()
  const command = await again()
  onTestFinished(() => command.close())
  way.cut()
  for (let i = 0; i < 3; i++) await refusalOf(command.find('nobody'))
  expect(command.states()).toMatchObject([{ state: 'down' }])
  expect([await rows(), await events('directory-down')]).toEqual([[], []])
  way.restore()
  await command.find('nobody').catch(() => {})
  expect([await rows(), await events('directory-up')]).toEqual([[], []])
  // one that begins to look while it knows already
  way.cut()
  await pass(2000, command)
  expect(await rows()).toMatchObject([{ directory: 'staff', back_at: null }])
  expect(await events('directory-down')).toHaveLength(1)
  expect(people.states()).toMatchObject([{ state: 'up' }])
})

test('a directory that hangs holds up nobody of another, neither signing in nor being looked at', async () => {
  const other = slapd.settings({ id: 'partners', degraded: DEGRADED })
  const { way, again } = await open({ timeout: '2s' }, [other, LOCAL])
  way.silence()
  const people = await again()
  onTestFinished(() => people.close())
  await people.add({ username: 'eva', name: 'Eva', password: 'three green tablets' }, 'cli')
  expect(people.states().find(({ id }) => id === 'partners')).toMatchObject({ state: 'unknown' })
  const done: string[] = []
  const look = people.look().then(() => done.push('look'))
  // nobody here has this name, so the first directory is asked, and says nothing
  const waiting = Array.from({ length: 20 }, () =>
    refusalOf(people.verifyPassword('sam', PASSWORD, STRANGE)).then((code) => done.push(code)),
  )
  for (let i = 0; i < 5; i++)
    expect(await people.verifyPassword('eva', 'three green tablets')).toMatchObject({ username: 'eva' })
  expect(done).toEqual([])
  expect(people.states().find(({ id }) => id === 'partners')).toMatchObject({ state: 'up' })
  way.cut()
  await Promise.all([look, ...waiting])
})
