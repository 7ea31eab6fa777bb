/** As what a browser is enrolled: read where a rule asks, and otherwise told without a look, or not at all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { accessMigrations, openAccess, openLivePolicies, type Question } from '#access'
import { auditMigrations, createAudit } from '#audit'
import { openHistory, openPlaces } from '#context'
import { silentLog } from '#core/log'
import { openDevices, openSessions, type Session, sessionsMigrations } from '#sessions'
import { openStorage } from '#storage'
import { START } from '../sessions/house.ts'
import { emptyStorageUrl } from '../support/storage.ts'
import { NO_OUTAGES } from './rooms.ts'

const ASKS = '  - { name: tablet, when: { device.enrolled: true }, allow: {} }\n'
const REST = '  - { name: rest, allow: {} }\n'
const clock = { now: () => START }
const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function openRooms(rules: string) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-enrolled-'))
  writeFileSync(join(folder, 'p.yaml'), `policy: p\nrules:\n${rules}`)
  const migrations = [...auditMigrations, ...sessionsMigrations, ...accessMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  const audit = createAudit({ storage, clock, log: silentLog })
  const sessions = openSessions({ storage, clock, log: silentLog, audit, defaults: { idle: 1e7, max: 1e7 } })
  const devices = openDevices({ storage, clock, audit })
  const policies = await openLivePolicies({ folder, log: silentLog })
  const reads: string[] = []
  const { find, byId } = devices.enrolled
  const watched = {
    enrolledCookieName: devices.enrolledCookieName,
    enrolled: {
      ...devices.enrolled,
      find(cookie: string | undefined) {
        reads.push('find')
        return find(cookie)
      },
      byId(id: string) {
        reads.push('byId')
        return byId(id)
      },
    },
  }
  const access = openAccess({
    storage,
    keys: { derive: () => Buffer.alloc(32, 7) },
    clock,
    log: silentLog,
    people: { ...NO_OUTAGES, byId: async () => undefined },
    sessions,
    devices: watched,
    policies,
    places: openPlaces({ log: silentLog }),
    history: openHistory({ state: storage.state, clock }),
  })
  opened.push(async () => {
    policies.close()
    await storage.close()
    rmSync(folder, { recursive: true })
  })
  const { code } = await devices.enrolment.begin({ kind: 'shared', site: '0412' }, 'cli')
  const redeeming = { address: '192.0.2.1', label: 'x', enrolledCookie: undefined, deviceCookie: undefined }
  const { device, cookie } = await devices.enrolment.redeem(code, redeeming)
  return { access, devices, device, cookies: new Map([[devices.enrolledCookieName, cookie]]), reads }
}
type Rooms = Awaited<ReturnType<typeof openRooms>>

const seenOn = (enrolledId: Session['enrolledId']) => ({ enrolledId }) as Session
const factsOf = async ({ access }: Rooms, more: Partial<Question>) =>
  (await access.preview({ kind: 'app', policy: 'p', address: '192.0.2.1', startedAt: START, ...more })).facts.device

test('a browser with the cookie is read once where a rule asks, and is the device', async () => {
  const rooms = await openRooms(ASKS + REST)
  const enrolled = await rooms.access.enrolled.byCookies(rooms.cookies)
  expect([enrolled, rooms.reads]).toEqual([rooms.device, ['find']])
  expect(await factsOf(rooms, { enrolled })).toEqual({
    id: rooms.device.id,
    known: false,
    enrolled: true,
    kind: 'shared',
    site: '0412',
  })
})

test('a browser without it is known not to be enrolled, without a read', async () => {
  const rooms = await openRooms(ASKS + REST)
  const enrolled = await rooms.access.enrolled.byCookies(new Map([['portico-device', 'x']]))
  expect([enrolled, rooms.reads]).toEqual([null, []])
  expect(await factsOf(rooms, { enrolled })).toEqual({ known: false, enrolled: false, kind: 'personal', site: null })
})

test('where no rule asks nothing is read, and nothing is said of a browser that has the cookie', async () => {
  const rooms = await openRooms(REST)
  const enrolled = await rooms.access.enrolled.byCookies(rooms.cookies)
  expect([enrolled, await rooms.access.enrolled.ofSession(seenOn(rooms.device.id))]).toEqual([undefined, undefined])
  expect(rooms.reads).toEqual([])
  expect(await factsOf(rooms, { enrolled })).toEqual({ known: false })
  // what costs nothing is told all the same, so that other rules can be tried on it
  expect(await factsOf(rooms, { enrolled: await rooms.access.enrolled.byCookies(new Map()) })).toMatchObject({
    enrolled: false,
  })
})

test('a session tells where its person was seen last: on a device as it is now, on none, or nothing', async () => {
  const rooms = await openRooms(ASKS + REST)
  const { ofSession } = rooms.access.enrolled
  expect(await ofSession(seenOn(rooms.device.id))).toEqual(rooms.device)
  expect(rooms.reads).toEqual(['byId'])
  expect([await ofSession(seenOn(null)), await ofSession({} as Session), await ofSession(undefined)]).toEqual([
    null,
    undefined,
    undefined,
  ])
  await rooms.devices.enrolled.revoke(rooms.device.id, 'cli')
  expect(await ofSession(seenOn(rooms.device.id))).toBeNull()
})

test('what nobody could tell is unknown, and so the stricter of both holds; a machine is on no device', async () => {
  const rooms = await openRooms(`  - { name: tablet, when: { device.enrolled: false }, deny: {} }\n${REST}`)
  const outcome = async (more: Partial<Question>) => {
    const asked = { kind: 'api', policy: 'p', address: '192.0.2.1', startedAt: START, ...more } as const
    const { decision } = await rooms.access.preview(asked)
    return decision.trace[0]!.matched
  }
  expect(await outcome({})).toBe('unknown')
  expect(await outcome({ enrolled: rooms.device })).toBe(false)
  expect(await outcome({ enrolled: null })).toBe(true)
  expect(await outcome({ client: { id: 'robot', authentication: 'private_key_jwt' } })).toBe(true)
})
