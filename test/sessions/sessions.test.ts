import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hours, minutes, seconds } from '#core/clock'
import { mint, newId, readHandle } from '../../src/sessions/handle.ts'
import { about, DEFAULTS, openHouse, password, START, totp } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

describe('the handle', () => {
  test('opens the session it was given for', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    expect(await house.sessions.find(cookie)).toEqual(session)
    expect(session).toMatchObject({ personId: 'p1', startedAt: START, endsAt: START + DEFAULTS.max, apps: [] })
    expect(cookie).toMatch(/^[\w-]{22}\.[\w-]{43}$/)
  })

  test('is new for every start, so a value from before can never be planted', async () => {
    const first = await house.sessions.start(about('p1'))
    const second = await house.sessions.start(about('p1'))
    expect(second.session.id).not.toBe(first.session.id)
    expect(second.cookie.split('.')[1]).not.toBe(first.cookie.split('.')[1])
  })

  test('stands nowhere in the store', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    const secret = cookie.split('.')[1]!
    expect(await house.storage.state.get(`session:${session.id}`)).not.toContain(secret)
    expect(JSON.stringify(session)).not.toContain(secret)
  })

  test('with another secret, or that of another session, opens nothing', async () => {
    const mine = await house.sessions.start(about('p1'))
    const other = await house.sessions.start(about('p2'))
    expect(await house.sessions.find(`${mine.session.id}.${other.cookie.split('.')[1]}`)).toBeUndefined()
    expect(await house.sessions.find(`${mine.session.id}.${'A'.repeat(43)}`)).toBeUndefined()
  })

  test('in another spelling of the same bits opens nothing', async () => {
    const { cookie } = await house.sessions.start(about('p1'))
    const last = cookie.at(-1)!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = `${cookie.slice(0, -1)}${alphabet[alphabet.indexOf(last) + 1]}`
    expect(Buffer.from(twin.split('.')[1]!, 'base64url')).toEqual(Buffer.from(cookie.split('.')[1]!, 'base64url'))
    expect(await house.sessions.find(twin)).toBeUndefined()
    const id = newId()
    expect(readHandle(mint(id).cookie)).toMatchObject({ id })
    expect(readHandle(`${'A'.repeat(21)}B.${'A'.repeat(43)}`)).toBeUndefined()
    expect(readHandle(`${'A'.repeat(22)}.${'A'.repeat(42)}B`)).toBeUndefined()
    for (const changed of [`${cookie}=`, ` ${cookie}`, `${cookie}\n`, cookie.replace('.', ':'), cookie.repeat(500)])
      expect(await house.sessions.find(changed)).toBeUndefined()
  })

  test('that cannot be ours is refused before storage is asked', async () => {
    await house.storage.close()
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => {
        expect(await house.sessions.find(text)).toBeUndefined()
      }),
      { numRuns: 500 },
    )
    expect(await house.sessions.find(undefined)).toBeUndefined()
    house = await openHouse()
  })

  test('whose record was damaged opens nothing', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    for (const broken of ['', '{', 'null', '{"session":{}}', '[1]']) {
      await house.storage.state.set(`session:${session.id}`, broken)
      expect(await house.sessions.find(cookie)).toBeUndefined()
    }
  })
})

describe('the ends of a session', () => {
  test('come when nothing happens for the idle time, to the millisecond', async () => {
    const { cookie } = await house.sessions.start(about('p1'))
    house.time.now = START + DEFAULTS.idle - 1
    expect(await house.sessions.find(cookie)).toBeDefined()
    house.time.now = START + DEFAULTS.idle
    expect(await house.sessions.find(cookie)).toBeUndefined()
  })

  test('are moved by what the person does, but never past the absolute end', async () => {
    const { cookie } = await house.sessions.start(about('p1'))
    for (let at = START; at < START + DEFAULTS.max; at += minutes(20)) {
      house.time.now = at
      const session = await house.sessions.find(cookie)
      await house.sessions.touch(session!)
      expect((await house.sessions.find(cookie))!.idleEndsAt).toBeLessThanOrEqual(START + DEFAULTS.max)
    }
    house.time.now = START + DEFAULTS.max
    expect(await house.sessions.find(cookie)).toBeUndefined()
  })

  test('are written at most once a minute', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    house.time.now = START + seconds(59)
    await house.sessions.touch(session)
    expect((await house.sessions.find(cookie))!.lastSeenAt).toBe(START)
    house.time.now = START + seconds(60)
    await Promise.all(Array.from({ length: 20 }, () => house.sessions.touch(session)))
    expect((await house.sessions.find(cookie))!.lastSeenAt).toBe(START + seconds(60))
  })

  test('are written at once when the person is somewhere else, and then only once', async () => {
    const { session, cookie } = await house.sessions.start({ ...about('p1'), deviceId: 'd1' })
    house.time.now = START + seconds(1)
    await house.sessions.touch(session, { address: session.address, deviceId: 'd1' })
    expect((await house.sessions.find(cookie))!.lastSeenAt).toBe(START)
    await house.sessions.touch(session, { address: '192.0.2.99', deviceId: undefined })
    const moved = (await house.sessions.find(cookie))!
    expect(moved).toMatchObject({ address: '192.0.2.99', lastSeenAt: START + seconds(1) })
    expect(moved).not.toHaveProperty('deviceId')
    house.time.now = START + seconds(2)
    await house.sessions.touch(moved, { address: '192.0.2.99', deviceId: undefined })
    expect(await house.sessions.find(cookie)).toEqual(moved)
    await house.sessions.touch(moved, { address: '192.0.2.1', deviceId: 'd2' })
    expect(await house.sessions.find(cookie)).toMatchObject({ address: '192.0.2.1', deviceId: 'd2' })
  })

  test('note on which enrolled device that is, on none, or that nobody looked', async () => {
    const tablet = { id: 't1', kind: 'shared', name: 'x', enrolledAt: 0, enrolledBy: 'cli', lastSeenAt: 0 } as const
    const { session, cookie } = await house.sessions.start({ ...about('p1'), enrolled: tablet })
    expect(session.enrolledId).toBe('t1')
    const found = async () => (await house.sessions.find(cookie))!
    for (const [enrolled, id] of [
      [null, null],
      [tablet, 't1'],
      [undefined, undefined],
      [null, null],
    ] as const) {
      house.time.now += seconds(1)
      const place = { address: session.address, deviceId: undefined, enrolled }
      await house.sessions.touch(await found(), place)
      const moved = await found()
      expect([moved.enrolledId, moved.lastSeenAt]).toEqual([id, house.time.now])
      // and then only once
      house.time.now += seconds(1)
      await house.sessions.touch(moved, place)
      expect(await found()).toEqual(moved)
    }
  })

  test('end on an enrolled device whoever they belong to, also when they were carried on without its cookie', async () => {
    const on = (id: string) =>
      ({ id, kind: 'shared', name: 'x', enrolledAt: 0, enrolledBy: 'cli', lastSeenAt: 0 }) as const
    const start = (person: string, enrolled?: ReturnType<typeof on>) =>
      house.sessions.start({ ...about(person), enrolled: enrolled ?? null })
    const [one, two, moved, came, elsewhere, none] = await Promise.all([
      start('p1', on('t1')),
      start('p2', on('t1')),
      start('p1', on('t1')),
      start('p1'),
      start('p1', on('t2')),
      start('p2'),
    ])
    const touch = (session: typeof one.session, enrolled: ReturnType<typeof on> | null) =>
      house.sessions.touch(session, { address: session.address, deviceId: undefined, enrolled })
    await touch(moved.session, null)
    await touch(came.session, on('t1'))
    expect(await house.sessions.endOn('t1', 'device-revoked', 'cli')).toBe(4)
    for (const { cookie } of [one, two, moved, came]) expect(await house.sessions.find(cookie)).toBeUndefined()
    for (const { cookie } of [elsewhere, none]) expect(await house.sessions.find(cookie)).toBeDefined()
    expect(await house.sessions.endOn('t1', 'device-revoked', 'cli')).toBe(0)
    const ended = await house.audit.search({ event: 'session-ended' })
    expect(ended.map(({ actor, reason }) => [actor, reason])).toEqual(Array(4).fill(['cli', 'device-revoked']))
  })

  test('stay usable when the idle time is shorter than that minute', async () => {
    const { session, cookie } = await house.sessions.start({ ...about('p1'), limits: { idle: seconds(40) } })
    house.time.now = START + seconds(15)
    await house.sessions.touch(session)
    house.time.now = START + seconds(50)
    expect(await house.sessions.find(cookie)).toBeDefined()
  })

  test('are brought nearer by a limit and never further away', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    const longer = await house.sessions.limit(session, { idle: hours(5), max: hours(50) })
    expect(longer).toEqual(session)
    const shorter = await house.sessions.limit(session, { idle: minutes(10), max: hours(1) })
    expect(shorter).toMatchObject({ idleEndsAt: START + minutes(10), endsAt: START + hours(1) })
    house.time.now = START + minutes(5)
    await house.sessions.touch(shorter)
    expect(await house.sessions.find(cookie)).toMatchObject({ idleEndsAt: START + minutes(15) })
    await house.sessions.limit(shorter, { idle: hours(1), max: hours(10) })
    expect(await house.sessions.find(cookie)).toMatchObject({
      idleEndsAt: START + minutes(15),
      endsAt: START + hours(1),
    })
  })

  test('follow whatever limits come in whatever order, only downwards', async () => {
    const length = fc.integer({ min: 0, max: hours(20) })
    const limits = fc.record({ idle: length, max: length }, { requiredKeys: [] })
    await fc.assert(
      fc.asyncProperty(fc.array(limits, { maxLength: 6 }), async (list) => {
        house.time.now = START
        let { session } = await house.sessions.start(about('p1'))
        for (const limit of list) {
          const before = session
          const after = await house.sessions.limit(session, limit).catch(() => undefined)
          if (!after) break
          expect(after.endsAt).toBeLessThanOrEqual(before.endsAt)
          expect(after.idleEndsAt).toBeLessThanOrEqual(Math.min(before.idleEndsAt, after.endsAt))
          session = after
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe('raising', () => {
  test('adds the proof whole, rotates the secret, and kills the old cookie at once', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    house.time.now = START + minutes(3)
    const raised = await house.sessions.raise(session, [totp(house.time.now)])
    expect(await house.sessions.find(cookie)).toBeUndefined()
    expect(await house.sessions.find(raised.cookie)).toEqual(raised.session)
    expect(raised.session.id).toBe(session.id)
    expect(raised.session.authenticated).toEqual([password(START), totp(START + minutes(3))])
  })

  test('keeps the newest proof of each factor', async () => {
    const { session } = await house.sessions.start(about('p1'))
    const newer = await house.sessions.raise(session, [password(START + 5), { ...password(START - 5), amr: ['old'] }])
    expect(newer.session.authenticated).toEqual([password(START + 5)])
  })

  test('in parallel loses no proof, and exactly one cookie opens the session afterwards', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    const raised = await Promise.all(
      Array.from({ length: 20 }, (_, i) => house.sessions.raise(session, [{ factor: `f${i}`, at: START, amr: [] }])),
    )
    const found = await Promise.all([cookie, ...raised.map((r) => r.cookie)].map((c) => house.sessions.find(c)))
    const living = found.filter((s) => s !== undefined)
    expect(living).toHaveLength(1)
    expect(living[0]!.authenticated).toHaveLength(21)
  })

  test('an ended session is refused', async () => {
    const { session } = await house.sessions.start(about('p1'))
    await house.sessions.end(session.id, 'signed-out', 'p1')
    await expect(house.sessions.raise(session, [totp(START)])).rejects.toMatchObject({ code: 'session-unknown' })
    await expect(house.sessions.limit(session, { idle: 1 })).rejects.toMatchObject({ code: 'session-unknown' })
    await expect(house.sessions.addApp(session, { app: 'crm', sid: 's' })).rejects.toMatchObject({
      code: 'session-unknown',
    })
  })
})

describe('lists', () => {
  test('show the living sessions of a person, last seen first, and of everybody', async () => {
    const first = await house.sessions.start({ ...about('p1'), limits: { idle: hours(2) } })
    house.time.now = START + minutes(10)
    const second = await house.sessions.start(about('p1'))
    await house.sessions.start(about('p2'))
    expect((await house.sessions.ofPerson('p1')).map((s) => s.id)).toEqual([second.session.id, first.session.id])
    const all = async () => {
      const people: string[] = []
      for await (const session of house.sessions.all()) people.push(session.personId)
      return people.sort()
    }
    expect(await all()).toEqual(['p1', 'p1', 'p2'])
    house.time.now = START + minutes(45)
    expect((await house.sessions.ofPerson('p1')).map((s) => s.id)).toEqual([first.session.id])
    expect(await all()).toEqual(['p1'])
    expect(await house.sessions.byId(second.session.id)).toBeUndefined()
    expect(await house.sessions.byId(first.session.id)).toBeDefined()
  })

  test('keep each app once', async () => {
    const { session } = await house.sessions.start(about('p1'))
    const one = await house.sessions.addApp(session, { app: 'crm', sid: 'sid-1' })
    expect(await house.sessions.addApp(one, { app: 'crm', sid: 'sid-1' })).toBe(one)
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => house.sessions.addApp(session, { app: `app-${i % 5}`, sid: 's' })),
    )
    expect((await house.sessions.byId(session.id))!.apps).toHaveLength(6)
  })
})
