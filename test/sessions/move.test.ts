/** Two people become one: their sessions and known devices are the survivor's. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hours, minutes } from '#core/clock'
import type { Session } from '#sessions'
import { about, openHouse, START, totp } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

const nothing = async () => {}

test('a session lives on by the same cookie, with its proofs and its ends, as somebody else', async () => {
  const { session, cookie } = await house.sessions.start(about('p-sam'))
  const { cookie: raised } = await house.sessions.raise(session, [totp(START)], { max: hours(2) })
  expect(await house.sessions.find(cookie)).toBeUndefined()
  const before = (await house.sessions.find(raised))!
  expect(await house.sessions.move('p-sam', 'p-kim', nothing)).toBe(1)
  expect(await house.sessions.find(raised)).toEqual({ ...before, personId: 'p-kim' })
  expect(await house.sessions.ofPerson('p-sam')).toEqual([])
  expect((await house.sessions.ofPerson('p-kim')).map(({ id }) => id)).toEqual([session.id])
  const all: string[] = []
  for await (const one of house.sessions.all()) all.push(one.id)
  expect(all).toEqual([session.id])
  expect(await house.sessions.endAll('p-kim', 'test', 'cli')).toBe(1)
  expect(await house.sessions.find(raised)).toBeUndefined()
})

test('what was opened with it is left first, and is not opened any more; again finds nothing', async () => {
  const { session } = await house.sessions.start(about('p-sam'))
  await house.sessions.addApp(session, { app: 'web', sid: 's-1' })
  const left: Session[] = []
  const leaving = async (one: Session) => void left.push(one)
  await house.sessions.move('p-sam', 'p-kim', leaving)
  await house.sessions.move('p-sam', 'p-kim', leaving)
  expect(left).toMatchObject([{ personId: 'p-sam', apps: [{ app: 'web', sid: 's-1' }] }])
  expect((await house.sessions.byId(session.id))?.apps).toEqual([])
})

test('an app that opens in between is left as well', async () => {
  const { session } = await house.sessions.start(about('p-sam'))
  const left: string[][] = []
  await house.sessions.move('p-sam', 'p-kim', async (one) => {
    left.push(one.apps.map(({ app }) => app))
    if (left.length === 1) await house.sessions.addApp(one, { app: 'late', sid: 's-2' })
  })
  expect(left).toEqual([[], ['late']])
  expect(await house.sessions.byId(session.id)).toMatchObject({ personId: 'p-kim', apps: [] })
})

test('a session that is over stays whose it was, and is told as theirs', async () => {
  const ended: string[] = []
  house.sessions.onEnd(async ({ session }) => void ended.push(session.personId))
  await house.sessions.start(about('p-sam'))
  house.time.now += minutes(31)
  expect(await house.sessions.move('p-sam', 'p-kim', nothing)).toBe(0)
  house.time.now += minutes(2)
  await house.sessions.sweep()
  expect(ended).toEqual(['p-sam'])
})

test('known devices come along; where both know one, the survivor’s own trust is what counts', async () => {
  const { devices, storage, clock } = house
  const label = 'Firefox on Linux'
  const until = START + hours(24)
  const one = await devices.remember(undefined, 'p-sam', { label, until })
  const shared = await devices.remember(undefined, 'p-kim', { label })
  const both = await devices.remember(shared.cookie, 'p-sam', { label, until })
  for (let i = 0; i < 2; i++) await devices.move('p-sam', 'p-kim', storage.records)
  expect(await devices.ofPerson('p-sam')).toEqual([])
  expect(await devices.ofPerson('p-kim')).toHaveLength(2)
  expect(devices.trustedUntil(await devices.find(one.cookie, 'p-kim'), 'p-kim')).toBe(until)
  // ATTACK: nobody is spared a second factor on a browser where they gave none
  expect(devices.trustedUntil(await devices.find(both.cookie, 'p-kim'), 'p-kim')).toBeUndefined()
  expect(clock.now()).toBeLessThan(until)
})
