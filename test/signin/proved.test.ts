/** From a proof to a session, while somebody revokes the device that it is given on. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PageRequest } from '#http'
import { DEVICE_REVOKED } from '#sessions'
import { establish } from '../../src/signin/proved.ts'
import { openHouse, password, START } from '../sessions/house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

test.each(['before', 'after'])('a device that is revoked %s the session has begun keeps none', async (when) => {
  const { devices, sessions, audit } = house
  devices.enrolled.onRevoked(async (id, by) => void (await sessions.endOn(id, DEVICE_REVOKED, by)))
  const { device: enrolled } = await devices.enrolled.add({ kind: 'shared', name: 'x', enrolledBy: 'cli' }, undefined)
  const revoke = () => devices.enrolled.revoke(enrolled.id, 'cli')
  const start: typeof sessions.start = async (about) => {
    if (when === 'before') await revoke()
    const started = await sessions.start(about)
    if (when === 'after') await revoke()
    return started
  }
  const rooms = {
    sessions: { ...sessions, start },
    devices,
    audit,
    access: { memory: { count: async () => {} } as never },
  }
  const request = { cookies: new Map(), headers: {}, address: '192.0.2.1' } as unknown as PageRequest
  const about = { request, current: undefined, device: undefined, enrolled, personId: 'p1', proof: password(START) }
  await expect(establish(rooms, about)).rejects.toMatchObject({ code: 'device-unknown' })
  expect(await sessions.ofPerson('p1')).toEqual([])
  expect(await audit.search({ event: 'session-ended' })).toMatchObject([{ subject: 'p1', reason: DEVICE_REVOKED }])
})
