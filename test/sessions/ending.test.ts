import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hours, minutes } from '#core/clock'
import { type EndedSession, openSessions, withSession } from '#sessions'
import { about, DEFAULTS, openHouse, START } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
let heard: EndedSession[]
beforeEach(async () => {
  house = await openHouse()
  heard = []
  house.sessions.onEnd(async (ended) => void heard.push(ended))
})
afterEach(() => house.storage.close())

describe('ending a session', () => {
  test('kills the cookie, deletes what belongs to it, tells the listeners with the last record, and is audited', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    const last = await house.sessions.addApp(session, { app: 'crm', sid: 'sid-1' })
    await house.storage.state.set('token:1', 'x', { group: withSession(session.id) })
    expect(await house.sessions.end(session.id, 'signed-out', 'p1')).toBe(true)
    expect(await house.sessions.find(cookie)).toBeUndefined()
    expect(await house.storage.state.get('token:1')).toBeUndefined()
    expect(heard).toEqual([{ session: last, reason: 'signed-out' }])
    expect(await house.events()).toEqual(['session-started', 'session-ended'])
    expect((await house.audit.search({ event: 'session-ended' }))[0]).toMatchObject({
      subject: 'p1',
      session: session.id,
    })
    expect(await house.storage.state.get(`session:${session.id}`)).toBeUndefined()
  })

  test('happens once, however many ask for it at the same time', async () => {
    const { session } = await house.sessions.start(about('p1'))
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => house.sessions.end(session.id, 'signed-out', 'p1')),
    )
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(heard).toHaveLength(1)
    expect(await house.sessions.end(session.id, 'signed-out', 'p1')).toBe(false)
    expect(await house.sessions.end('never-was', 'signed-out', 'p1')).toBe(false)
  })

  test('of a person ends all but the one that is named', async () => {
    const kept = await house.sessions.start(about('p1'))
    for (let i = 0; i < 3; i++) await house.sessions.start(about('p1'))
    const other = await house.sessions.start(about('p2'))
    expect(await house.sessions.endAll('p1', 'password-changed', 'p1', kept.session.id)).toBe(3)
    expect(await house.sessions.find(kept.cookie)).toBeDefined()
    expect(await house.sessions.find(other.cookie)).toBeDefined()
    expect(await house.sessions.endAll('p1', 'person-disabled', 'admin')).toBe(1)
    expect(heard).toHaveLength(4)
  })

  test('wins against a touch, a raise and a limit at the same moment', async () => {
    for (let round = 0; round < 20; round++) {
      const { session, cookie } = await house.sessions.start(about('p1'))
      house.time.now += minutes(2)
      const raised = house.sessions.raise(session, []).catch(() => undefined)
      const ended = house.sessions.end(session.id, 'signed-out', 'p1')
      await Promise.all([
        raised,
        ended,
        house.sessions.touch(session),
        house.sessions.limit(session, { idle: 9e5 }).catch(() => 0),
      ])
      expect(await ended).toBe(true)
      expect(await house.sessions.find(cookie)).toBeUndefined()
      expect(await house.sessions.find((await raised)?.cookie)).toBeUndefined()
    }
  })
})

describe('a session that merely expires', () => {
  test('is ended by the sweep, which tells the listeners', async () => {
    const { session } = await house.sessions.start(about('p1'))
    await house.sessions.addApp(session, { app: 'crm', sid: 'sid-1' })
    expect(await house.sessions.sweep()).toBe(0)
    house.time.now = START + DEFAULTS.idle + minutes(1)
    expect(await house.sessions.sweep()).toBe(1)
    expect(heard).toMatchObject([{ reason: 'expired', session: { apps: [{ app: 'crm', sid: 'sid-1' }] } }])
    expect(await house.sessions.sweep()).toBe(0)
    expect(await house.events()).toEqual(['session-started', 'session-ended'])
  })

  test('is left alone by the sweep as long as somebody uses it', async () => {
    const { session, cookie } = await house.sessions.start(about('p1'))
    let last = session
    for (let at = START; at < START + hours(2); at += minutes(7)) {
      house.time.now = at
      await house.sessions.touch(last)
      last = (await house.sessions.find(cookie))!
      expect(await house.sessions.sweep()).toBe(0)
    }
    house.time.now = last.idleEndsAt + minutes(1)
    expect(await house.sessions.sweep()).toBe(1)
  })

  test('is found where a limit brought its end nearer', async () => {
    const { session } = await house.sessions.start(about('p1'))
    await house.sessions.limit(session, { max: minutes(5) })
    house.time.now = START + minutes(6)
    expect(await house.sessions.sweep()).toBe(1)
  })

  test('is found after the house was closed for days, and after the clock ran ahead and came back', async () => {
    await house.sessions.start(about('p1'))
    house.time.now = START + hours(24 * 4)
    expect(await house.sessions.sweep()).toBe(1)
    house.time.now = START
    await house.sessions.sweep()
    await house.sessions.start(about('p2'))
    house.time.now = START + DEFAULTS.idle + minutes(1)
    expect(await house.sessions.sweep()).toBe(1)
  })

  test('is ended by exactly one of several processes that sweep at once', async () => {
    for (let i = 0; i < 100; i++) await house.sessions.start(about(`p${i}`))
    const others = Array.from({ length: 3 }, () => openSessions({ ...house.parts, defaults: DEFAULTS }))
    for (const other of others) other.onEnd(async (ended) => void heard.push(ended))
    house.time.now = START + hours(1)
    const counts = await Promise.all([house.sessions, ...others].map((sessions) => sessions.sweep()))
    expect(counts.reduce((a, b) => a + b)).toBe(100)
    expect(new Set(heard.map((ended) => ended.session.id)).size).toBe(100)
    expect(heard).toHaveLength(100)
  })
})

test('a listener that fails leaves the session dead, and hears of it again from a later sweep', async () => {
  let broken = true
  house.sessions.onEnd(async () => {
    if (broken) throw new Error('outbox away')
  })
  const { session, cookie } = await house.sessions.start(about('p1'))
  expect(await house.sessions.end(session.id, 'signed-out', 'p1')).toBe(true)
  expect(await house.sessions.find(cookie)).toBeUndefined()
  expect(await house.sessions.ofPerson('p1')).toEqual([])
  for (let i = 1; i < 15; i++) {
    house.time.now = START + minutes(2 * i)
    await house.sessions.sweep()
  }
  expect(heard.length).toBeGreaterThan(5)
  broken = false
  house.time.now += minutes(2)
  expect(await house.sessions.sweep()).toBe(1)
  const times = heard.length
  house.time.now += minutes(20)
  expect(await house.sessions.sweep()).toBe(0)
  expect(heard).toHaveLength(times)
  expect(new Set(heard.map((ended) => ended.reason))).toEqual(new Set(['signed-out']))
  expect((await house.events()).filter((event) => event === 'session-ended')).toHaveLength(1)
})
