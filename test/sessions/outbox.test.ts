import { afterEach, beforeEach, expect, test } from 'vitest'
import { hours, minutes, seconds } from '#core/clock'
import { type Delivery, type LogoutRow, openOutbox } from '#sessions'
import { openHouse, START } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

const row = (app: string, sid: string): LogoutRow => ({
  app,
  sid,
  subject: 'p1',
  session: 'own',
  event: 'backchannel-logout',
})

const deliver = (send: (row: LogoutRow) => Promise<Delivery>, outbox = house.outbox) =>
  outbox.deliver({ 'backchannel-logout': send })

test('a row is sent once and gone, and the trail says so', async () => {
  await house.outbox.add([row('crm', 's1'), row('erp', 's1')])
  await house.outbox.add([row('crm', 's1')])
  expect(await house.outbox.pending()).toBe(2)
  const sent: LogoutRow[] = []
  const taken = await deliver(async (r) => {
    sent.push(r)
    return 'done'
  })
  expect(taken).toBe(2)
  expect(sent.sort((a, b) => a.app.localeCompare(b.app))).toEqual([row('crm', 's1'), row('erp', 's1')])
  expect(await house.outbox.pending()).toBe(0)
  expect(await house.events()).toEqual(['logout-delivered', 'logout-delivered'])
})

test('the oldest is the one that has waited longest, tried or not, and none where none waits', async () => {
  expect(await house.outbox.oldest()).toBeUndefined()
  await house.outbox.add([row('crm', 's1')])
  house.time.now += minutes(1)
  await house.outbox.add([row('erp', 's1')])
  expect(await house.outbox.oldest()).toBe(START)
  await deliver(async ({ app }) => (app === 'crm' ? 'done' : 'retry'))
  expect(await house.outbox.oldest()).toBe(START + minutes(1))
})

test('two processes that deliver at once send no row twice', async () => {
  await house.outbox.add(Array.from({ length: 200 }, (_, i) => row(`app-${i % 7}`, `s${i}`)))
  const sent: string[] = []
  const send = async (r: LogoutRow): Promise<Delivery> => {
    sent.push(`${r.app} ${r.sid}`)
    return 'done'
  }
  const other = openOutbox(house.parts)
  const counts = await Promise.all([deliver(send), deliver(send, other), deliver(send)])
  expect(counts.reduce((a, b) => a + b)).toBe(200)
  expect(new Set(sent).size).toBe(200)
  expect(sent).toHaveLength(200)
})

test('eight are on their way at a time, each with a row of its own, though all of them have asked at the same moment', async () => {
  await house.outbox.add(Array.from({ length: 8 }, (_, i) => row(`app-${i}`, 's1')))
  const all = Promise.withResolvers<void>()
  let waiting = 0
  const taken = await deliver(async () => {
    if (++waiting === 8) all.resolve()
    // an app that takes its time must not keep the others waiting
    await all.promise
    return 'done'
  })
  expect(taken).toBe(8)
})

test('an app that cannot be reached is tried again after 30 s, 2 m, 10 m, 1 h, 6 h and given up after 24 h', async () => {
  await house.outbox.add([row('crm', 's1')])
  const tries: number[] = []
  for (let at = START; at <= START + hours(30); at += seconds(30)) {
    house.time.now = at
    if ((await house.outbox.pending()) === 0) break
    await deliver(async () => {
      tries.push(at - START)
      throw new Error('connect refused')
    })
  }
  const waits = tries.map((at, i) => at - (tries[i - 1] ?? 0))
  expect(waits.slice(0, 6)).toEqual([0, seconds(30), minutes(2), minutes(10), hours(1), hours(6)])
  expect(tries.at(-1)).toBe(hours(24))
  expect(await house.outbox.pending()).toBe(0)
  expect(await house.events()).toEqual(['logout-given-up'])
})

test('an app that says it will never take it is not asked again', async () => {
  await house.outbox.add([row('crm', 's1')])
  expect(await deliver(async () => 'give-up')).toBe(0)
  expect(await house.outbox.pending()).toBe(0)
  expect((await house.audit.search({ event: 'logout-given-up' }))[0]).toMatchObject({ app: 'crm', reason: 'refused' })
})

test('one app that hangs is tried a few times only, and the others get theirs', async () => {
  await house.outbox.add(Array.from({ length: 100 }, (_, i) => row('hangs', `s${i}`)))
  await house.outbox.add([row('crm', 's1'), row('erp', 's1')])
  let wasted = 0
  const taken = await deliver(async ({ app }) => {
    if (app !== 'hangs') return 'done'
    wasted++
    await new Promise((resolve) => setImmediate(resolve))
    return 'retry'
  })
  expect(taken).toBe(2)
  expect(wasted).toBeLessThanOrEqual(16)
  house.time.now += minutes(3)
  expect(await deliver(async () => 'done')).toBe(100)
})

test('a row whose sender died is sent by another process when its lease is over', async () => {
  await house.outbox.add([row('crm', 's1')])
  const dead = new Promise<Delivery>(() => {})
  void deliver(() => dead)
  await house.outbox.pending()
  expect(await deliver(async () => 'done', openOutbox(house.parts))).toBe(0)
  house.time.now += minutes(2)
  expect(await deliver(async () => 'done', openOutbox(house.parts))).toBe(1)
})

test('an end of everything is one row for each app without a session, and what its sender needs goes with it', async () => {
  const { sid: _sid, ...all } = { ...row('crm', ''), known: 'name' }
  await house.outbox.add([all, { ...all, session: 'another' }, row('crm', 's1')])
  const sent: LogoutRow[] = []
  await deliver(async (one) => {
    sent.push(one)
    return 'done'
  })
  expect(sent).toHaveLength(2)
  expect(sent).toEqual(expect.arrayContaining([all, row('crm', 's1')]))
})

test('a row goes to the sender of its event, and waits where there is none', async () => {
  await house.outbox.add([row('crm', 's1'), { ...row('wiki', 's1'), event: 'saml-logout' }])
  const sent: string[] = []
  const send = async ({ app }: LogoutRow): Promise<Delivery> => {
    sent.push(app)
    return 'done'
  }
  expect(await deliver(send)).toBe(1)
  expect(await house.outbox.pending()).toBe(1)
  house.time.now += minutes(1)
  expect(await house.outbox.deliver({ 'saml-logout': send })).toBe(1)
  expect(sent).toEqual(['crm', 'wiki'])
})

test('of one session only what it and the end of everything of its person have to say', async () => {
  const { sid: _sid, ...all } = row('erp', '')
  const other = { ...row('crm', 's2'), session: 'another' }
  await house.outbox.add([
    row('crm', 's1'),
    other,
    { ...all, session: 'another' },
    { ...all, subject: 'p2', session: 'third' },
  ])
  const sent: LogoutRow[] = []
  const send = async (one: LogoutRow): Promise<Delivery> => {
    sent.push(one)
    return 'done'
  }
  expect(await house.outbox.deliver({ 'backchannel-logout': send }, { id: 'own', personId: 'p1' })).toBe(2)
  expect(sent).toEqual(expect.arrayContaining([row('crm', 's1'), { ...all, session: 'another' }]))
  expect(await house.outbox.pending()).toBe(2)
})
