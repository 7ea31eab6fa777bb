/** Ends of sessions while Redis takes nothing more: noted beside the records, told once, and gone on with by whoever is left. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { auditMigrations, createAudit } from '#audit'
import { minutes } from '#core/clock'
import { silentLog } from '#core/log'
import { type EndedSession, openSessions, type Sessions, sessionsMigrations } from '#sessions'
import { openStorage, type State, type Storage } from '#storage'
import { about, DEFAULTS, START } from '../sessions/house.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { emptyStorageUrl } from '../support/storage.ts'

let redis: RedisServer
let storage: Storage
let heard: EndedSession[]
const time = { now: START }
const clock = { now: () => time.now }

beforeEach(async () => {
  time.now = START
  heard = []
  redis = await startRedis()
  const migrations = [...auditMigrations, ...sessionsMigrations]
  storage = await openStorage({
    ...{ url: await emptyStorageUrl(), state: { url: redis.url } },
    ...{ clock, log: silentLog, migrations },
  })
})
afterEach(async () => {
  await storage.close()
  await redis.end()
})

/** Another process; `state` may be one that fails. */
function open(state: State = storage.state): Sessions {
  const its = { ...storage, state }
  const audit = createAudit({ storage, clock, log: silentLog })
  const sessions = openSessions({ storage: its, clock, log: silentLog, audit, defaults: DEFAULTS })
  sessions.onEnd(async (ended) => void heard.push(ended))
  return sessions
}
const full = () => redis.ask('CONFIG', 'SET', 'maxmemory', '1')
const room = () => redis.ask('CONFIG', 'SET', 'maxmemory', '256mb')

test('of fifty who end one, over two processes, one does; everybody is told once, and the browser finds its apps', async () => {
  const [one, other] = [open(), open()]
  const { session, cookie } = await one.start(about('p1'))
  const last = await one.addApp(session, { app: 'crm', sid: 's' })
  await full()
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => (i % 2 ? one : other).end(session.id, 'signed-out', 'p1')),
  )
  expect(answers.filter(Boolean)).toHaveLength(1)
  expect(await other.find(cookie)).toBeUndefined()
  expect(heard).toEqual([{ session: last, reason: 'signed-out' }])
  expect((await other.left(cookie))?.session.apps).toEqual(last.apps)
  await room()
  time.now += minutes(2)
  expect(await one.sweep()).toBe(0)
  expect(await one.find(cookie)).toBeUndefined()
  expect(heard).toHaveLength(1)
})

test.each(['once more by hand', 'by a sweep'])(
  'one that a process died in is ended %s, in a Redis that is still full',
  async (how) => {
    const [dying, left] = [open({ ...storage.state, take: () => Promise.reject(new Error('died')) }), open()]
    const { session, cookie } = await left.start(about('p1'))
    await full()
    await expect(dying.end(session.id, 'signed-out', 'p1')).rejects.toThrow('died')
    expect(await left.sweep()).toBe(0)
    time.now += minutes(1)
    if (how === 'by a sweep') expect(await left.sweep()).toBe(1)
    else expect(await left.end(session.id, 'signed-out', 'p1')).toBe(true)
    expect(await left.find(cookie)).toBeUndefined()
    expect(heard.map(({ reason }) => reason)).toEqual(['signed-out'])
    time.now += minutes(2)
    expect(await left.sweep()).toBe(0)
  },
)

test('one that another process ends in that moment, in a Redis that has room again, is told once', async () => {
  const other = open()
  const { session } = await other.start(about('p1'))
  const late = open({
    ...storage.state,
    async take(key) {
      await room()
      expect(await other.end(session.id, 'signed-out', 'p1')).toBe(true)
      return storage.state.take(key)
    },
  })
  await full()
  expect(await late.end(session.id, 'person-disabled', 'test')).toBe(false)
  time.now += minutes(2)
  expect(await other.sweep()).toBe(0)
  expect(heard.map(({ reason }) => reason)).toEqual(['signed-out'])
})

test('a listener that fails hears of it again', async () => {
  const sessions = open()
  let broken = true
  sessions.onEnd(async () => {
    if (broken) throw new Error('outbox away')
  })
  const { session, cookie } = await sessions.start(about('p1'))
  await full()
  expect(await sessions.end(session.id, 'signed-out', 'p1')).toBe(true)
  expect(await sessions.find(cookie)).toBeUndefined()
  broken = false
  time.now += minutes(1)
  expect(await sessions.sweep()).toBe(1)
  expect(heard).toHaveLength(2)
  expect(await sessions.sweep()).toBe(0)
})

test('what has expired makes room by itself', async () => {
  const sessions = open()
  const { session } = await sessions.start(about('p1'))
  await full()
  time.now = session.idleEndsAt + minutes(1)
  expect(await sessions.sweep()).toBe(1)
  expect(await storage.state.get(`session:${session.id}`)).toBeUndefined()
  expect(heard.map(({ reason }) => reason)).toEqual(['expired'])
})
