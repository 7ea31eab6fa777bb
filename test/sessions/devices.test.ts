import { afterEach, beforeEach, expect, test } from 'vitest'
import { days, minutes } from '#core/clock'
import { openHouse, START } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

const label = 'Firefox on Linux'

test('a device is known for the person who passed on it and for nobody else', async () => {
  const { device, cookie } = await house.devices.remember(undefined, 'p1', { label })
  expect(await house.devices.find(cookie, 'p1')).toEqual(device)
  expect(device).toMatchObject({ label, knownSince: START, personId: 'p1' })
  expect(await house.devices.find(cookie, 'p2')).toBeUndefined()
  expect(await house.devices.find(cookie)).toMatchObject({ id: device.id })
  expect(await house.devices.find(`${device.id}.${'A'.repeat(43)}`, 'p1')).toBeUndefined()
  expect(await house.devices.find('nonsense', 'p1')).toBeUndefined()
})

test('the device of a session is found without its cookie, for the person that it is known for and until it is forgotten', async () => {
  const { device } = await house.devices.remember(undefined, 'p1', { label, until: START + days(30) })
  expect(await house.devices.byId(device.id, 'p1')).toEqual(device)
  expect(await house.devices.byId(device.id, 'p2')).toBeUndefined()
  await house.devices.forget('p1', device.id, 'p1')
  expect(await house.devices.byId(device.id, 'p1')).toBeUndefined()
})

test('a second person on the same browser shares the device and not the knowledge', async () => {
  const first = await house.devices.remember(undefined, 'p1', { label, until: START + days(30) })
  const second = await house.devices.remember(first.cookie, 'p2', { label })
  expect(second.device.id).toBe(first.device.id)
  expect(house.devices.trustedUntil(second.device, 'p2')).toBeUndefined()
  expect(house.devices.trustedUntil(await house.devices.find(second.cookie, 'p1'), 'p1')).toBe(START + days(30))
  expect(house.devices.trustedUntil(await house.devices.find(second.cookie, 'p1'), 'p2')).toBeUndefined()
})

test('a copy of the cookie from before somebody became known or trusted is worth nothing', async () => {
  const kiosk = await house.devices.remember(undefined, 'attacker', { label })
  const victim = await house.devices.remember(kiosk.cookie, 'p1', { label })
  expect(await house.devices.find(kiosk.cookie, 'p1')).toBeUndefined()
  expect(await house.devices.find(victim.cookie, 'p1')).toBeDefined()
  const trusted = await house.devices.remember(victim.cookie, 'p1', { label, until: START + days(30) })
  expect(await house.devices.find(victim.cookie, 'p1')).toBeUndefined()
  expect(await house.devices.find(trusted.cookie, 'p1')).toMatchObject({
    id: kiosk.device.id,
    trustedUntil: START + days(30),
  })
})

test('coming back keeps the cookie, the trust and the day it became known, and is not in the trail again', async () => {
  const first = await house.devices.remember(undefined, 'p1', { label, until: START + days(30) })
  house.time.now = START + minutes(60)
  const again = await house.devices.remember(first.cookie, 'p1', { label: 'Firefox on Debian' })
  expect(again.cookie).toBe(first.cookie)
  expect(again.device).toEqual({ ...first.device, label: 'Firefox on Debian', lastSeenAt: START + minutes(60) })
  expect(await house.events()).toEqual(['device-remembered'])
})

test('trust ends at its time, to the millisecond', async () => {
  const { device } = await house.devices.remember(undefined, 'p1', { label, until: START + 1000 })
  house.time.now = START + 999
  expect(house.devices.trustedUntil(device, 'p1')).toBe(START + 1000)
  house.time.now = START + 1000
  expect(house.devices.trustedUntil(device, 'p1')).toBeUndefined()
  expect(house.devices.trustedUntil(undefined, 'p1')).toBeUndefined()
})

test('a forgotten device is unknown, and nobody forgets that of another person', async () => {
  const { device, cookie } = await house.devices.remember(undefined, 'p1', { label })
  await expect(house.devices.forget('p2', device.id, 'p2')).rejects.toMatchObject({ code: 'device-unknown' })
  await house.devices.forget('p1', device.id, 'p1')
  expect(await house.devices.find(cookie, 'p1')).toBeUndefined()
  expect(await house.devices.find(cookie)).toBeUndefined()
  expect((await house.devices.remember(cookie, 'p1', { label })).device.id).not.toBe(device.id)
})

test('all devices of a person are forgotten together, and what others know stays', async () => {
  const shared = await house.devices.remember(undefined, 'p1', { label })
  const both = await house.devices.remember(shared.cookie, 'p2', { label })
  await house.devices.remember(undefined, 'p1', { label })
  expect(await house.devices.ofPerson('p1')).toHaveLength(2)
  expect(await house.devices.forgetAll('p1', 'cli')).toBe(2)
  expect(await house.devices.ofPerson('p1')).toEqual([])
  expect(await house.devices.find(both.cookie, 'p2')).toBeDefined()
})
