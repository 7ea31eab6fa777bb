import { afterEach, beforeEach, expect, test } from 'vitest'
import { days, hours, minutes } from '#core/clock'
import { ENROLMENT_LIMIT } from '#sessions'
import type { Tables } from '../../src/sessions/tables.ts'
import { about, openHouse, START } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.storage.close())

const begin = async (about: object = {}, life?: number) =>
  (await house.devices.enrolment.begin({ kind: 'shared', site: '0412', name: 'Tablet 1', ...about }, 'cli', life)).code
const redeem = (code: string, more: object = {}) =>
  house.devices.enrolment.redeem(code, {
    address: '192.0.2.1',
    label: 'Chrome, Android',
    enrolledCookie: undefined,
    deviceCookie: undefined,
    ...more,
  })
const refused = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error) => error.code,
  )
const wrong = (n: number) => `0000-0000-${String(n).padStart(4, '0')}`

test('a code makes a browser the device that the administrator described, once', async () => {
  const code = await begin()
  expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
  const { device, cookie } = await redeem(code)
  expect(device).toEqual({
    id: expect.stringMatching(/^[\w-]{22}$/),
    kind: 'shared',
    site: '0412',
    name: 'Tablet 1',
    enrolledAt: START,
    enrolledBy: 'cli',
    enrolledFrom: '192.0.2.1',
    lastSeenAt: START,
  })
  expect(await house.devices.enrolled.find(cookie)).toEqual(device)
  expect(await house.devices.enrolled.byId(device.id)).toEqual(device)
  expect(await refused(redeem(code))).toBe('device-code-invalid')
  expect(await house.events()).toEqual(['device-enrolment-begun', 'device-enrolled', 'device-enrolment-refused'])
})

test('a code that is bound to networks works there only; elsewhere it is wrong, is not used up, and counts as a guess', async () => {
  const code = await begin({ from: ['192.0.2.0/28', '2001:db8::/64', '203.0.113.9'] })
  for (const address of ['192.0.2.16', '2001:db8:0:1::1', '203.0.113.8', 'unknown', ''])
    expect([address, await refused(redeem(code, { address }))]).toEqual([address, 'device-code-invalid'])
  const [refusal] = await house.audit.search({ event: 'device-enrolment-refused' })
  expect(refusal).toMatchObject({ reason: 'network' })
  const { device } = await redeem(code, { address: '2001:db8::7' })
  expect((await house.devices.enrolled.byId(device.id))!.enrolledFrom).toBe('2001:db8::7')
  const second = await begin({ from: ['192.0.2.0/28'] })
  for (let n = 0; n <= ENROLMENT_LIMIT.tries; n++) await refused(redeem(second, { address: '198.51.100.1' }))
  expect(await refused(redeem(second, { address: '198.51.100.1' }))).toBe('throttled')
  expect(await refused(redeem(second, { address: '192.0.2.15' }))).toBe('done')
})

test('codes differ, and are typed the way people type them', async () => {
  const codes = await Promise.all(Array.from({ length: 50 }, () => begin()))
  expect(new Set(codes).size).toBe(50)
  const [first, second, third] = codes as [string, string, string]
  await redeem(first.toLowerCase().replaceAll('-', ' '))
  await redeem(second.replaceAll('-', ''))
  await redeem(third.replaceAll('0', 'o').replaceAll('1', 'l'))
})

test('a device without a name has that of its browser, or of its kind', async () => {
  expect((await redeem(await begin({ name: undefined, site: undefined }))).device).toMatchObject({
    name: 'Chrome, Android',
  })
  const { device } = await redeem(await begin({ name: undefined, site: undefined }), { label: '' })
  expect(device).toMatchObject({ name: 'shared' })
  expect(device).not.toHaveProperty('site')
})

test('of fifty who type the same code at once one has the device', async () => {
  const code = await begin()
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, n) => refused(redeem(code, { address: `192.0.2.${n}` }))),
  )
  expect(all.filter((one) => one === 'done')).toHaveLength(1)
  expect(new Set(all)).toEqual(new Set(['done', 'device-code-invalid']))
  expect(await house.devices.enrolled.list()).toHaveLength(1)
})

test('a code ends at its time, to the millisecond', async () => {
  const [early, late] = [await begin({}, minutes(10)), await begin({}, minutes(10))]
  house.time.now = START + minutes(10) - 1
  expect(await refused(redeem(early))).toBe('done')
  house.time.now = START + minutes(10)
  expect(await refused(redeem(late))).toBe('device-code-invalid')
})

test('neither a code nor the secret of a cookie stands anywhere, and an id without its secret is nobody', async () => {
  const code = await begin()
  const kept = JSON.stringify(await house.storage.state.group('device-enrolments'))
  expect(kept).not.toContain(code)
  expect(kept).not.toContain(code.replaceAll('-', ''))
  const { device, cookie } = await redeem(code)
  const rows = await house.storage.records.withTables<Tables>().selectFrom('enrolled_devices').selectAll().execute()
  expect(JSON.stringify(rows)).not.toContain(cookie.split('.')[1])
  for (const made of [`${device.id}.${'A'.repeat(43)}`, device.id, '', 'x', undefined])
    expect(await house.devices.enrolled.find(made)).toBeNull()
})

test('a code whose record was damaged enrols nothing', async () => {
  for (const damaged of [
    '{',
    '{"by":"cli"}',
    '{"by":"cli","kind":"any"}',
    'null',
    '{"by":"cli","kind":"shared\uFFFD"}',
  ]) {
    const code = await begin()
    const { state } = house.storage
    const [entry] = await state.group('device-enrolments')
    await state.set(entry!.key, damaged)
    expect(await refused(redeem(code))).toBe('device-code-invalid')
    await state.deleteGroup('device-enrolments')
  }
  expect(await house.devices.enrolled.list()).toEqual([])
})

test('ten wrong codes from one address, and that address is not listened to before the window is over', async () => {
  const code = await begin({}, hours(1))
  for (let n = 0; n < ENROLMENT_LIMIT.tries; n++) expect(await refused(redeem(wrong(n)))).toBe('device-code-invalid')
  await expect(redeem(code)).rejects.toMatchObject({ code: 'throttled', retryAfter: 900 })
  expect(await refused(redeem(code))).toBe('throttled')
  // once, not once per try
  expect((await house.audit.search({})).filter(({ reason }) => reason === 'throttled')).toHaveLength(1)
  house.time.now = START + ENROLMENT_LIMIT.within
  expect(await refused(redeem(code))).toBe('done')
})

test('a thousand guesses sent at once are ten', async () => {
  const all = await Promise.all(Array.from({ length: 1000 }, (_, n) => refused(redeem(wrong(n)))))
  expect(all.filter((one) => one === 'device-code-invalid')).toHaveLength(ENROLMENT_LIMIT.tries)
})

test('of IPv6 a whole network is one address; another address is listened to', async () => {
  const code = await begin()
  for (let n = 0; n < ENROLMENT_LIMIT.tries; n++) await refused(redeem(wrong(n), { address: `2001:db8:1:2::${n}` }))
  expect(await refused(redeem(code, { address: '2001:db8:1:2:ffff::1' }))).toBe('throttled')
  expect(await refused(redeem(code, { address: '2001:db8:1:3::1' }))).toBe('done')
})

test('right codes do not count, nor does what cannot be a code', async () => {
  for (let n = 0; n < ENROLMENT_LIMIT.tries * 2; n++) {
    expect(await refused(redeem(await begin()))).toBe('done')
    expect(await refused(redeem('7K4Q-92MD'))).toBe('device-code-invalid')
  }
})

test('a browser that is set up again is the new device and no longer the old', async () => {
  const first = await redeem(await begin())
  const second = await redeem(await begin({ name: 'Tablet 2' }), { enrolledCookie: first.cookie })
  expect(await house.devices.enrolled.find(first.cookie)).toBeNull()
  expect((await house.devices.enrolled.list()).map(({ id }) => id)).toEqual([second.device.id])
  expect((await house.audit.search({ event: 'device-revoked' }))[0]).toMatchObject({
    device: first.device.id,
    reason: 'replaced',
  })
})

test('a cookie that was made up ends nobody else’s device', async () => {
  const { device, cookie } = await redeem(await begin())
  await redeem(await begin(), { enrolledCookie: `${device.id}.${'A'.repeat(43)}` })
  expect(await house.devices.enrolled.find(cookie)).toEqual(device)
})

test('a revoked device is known not to be enrolled, and is revoked once', async () => {
  const { device, cookie } = await redeem(await begin())
  await house.devices.enrolled.revoke(device.id, 'cli')
  expect(await house.devices.enrolled.find(cookie)).toBeNull()
  expect(await house.devices.enrolled.byId(device.id)).toBeNull()
  await expect(house.devices.enrolled.revoke(device.id, 'cli')).rejects.toMatchObject({ code: 'device-unknown' })
  expect((await house.audit.search({ event: 'device-revoked' }))[0]).toMatchObject({ actor: 'cli', device: device.id })
})

test('a device that becomes a shared one spares nobody a second factor any more; a personal one does', async () => {
  const known = await house.devices.remember(undefined, 'p1', { label: 'x', until: START + days(30) })
  const trusted = async () => (await house.devices.find(known.cookie, 'p1'))?.trustedSince
  await redeem(await begin({ kind: 'personal' }), { deviceCookie: known.cookie })
  expect(await trusted()).toBe(START)
  await redeem(await begin(), { deviceCookie: `${known.device.id}.${'A'.repeat(43)}` })
  expect(await trusted()).toBe(START)
  await redeem(await begin(), { deviceCookie: known.cookie })
  expect(await trusted()).toBeUndefined()
  // still known to the person, and theirs to forget
  expect(await house.devices.ofPerson('p1')).toHaveLength(1)
})

test('who listens hears of a device that is revoked, again where a process died before it told, and of none that is set up anew', async () => {
  const heard: string[] = []
  house.devices.enrolled.onRevoked(async (id, by) => void heard.push(`${id} ${by}`))
  const first = await redeem(await begin())
  const { device } = await redeem(await begin(), { enrolledCookie: first.cookie })
  expect(heard).toEqual([])
  const db = house.storage.records.withTables<Pick<Tables, 'enrolled_devices'>>()
  await db.deleteFrom('enrolled_devices').execute()
  expect(await refused(house.devices.enrolled.revoke(device.id, 'cli'))).toBe('device-unknown')
  expect(heard).toEqual([`${device.id} cli`])
})

test('open codes are listed without what they are, and are gone once spent or too late', async () => {
  const { enrolment } = house.devices
  const late = await enrolment.begin({ kind: 'shared', site: '0412', name: 'Till' }, 'cli', hours(2))
  const soon = await enrolment.begin({ kind: 'personal' }, 'ada', minutes(30))
  expect(await enrolment.open()).toEqual([
    { id: soon.id, kind: 'personal', by: 'ada', endsAt: START + minutes(30) },
    { id: late.id, kind: 'shared', site: '0412', name: 'Till', by: 'cli', endsAt: START + hours(2) },
  ])
  expect(JSON.stringify(await enrolment.open())).not.toContain(late.code)
  house.time.now = START + minutes(30)
  expect((await enrolment.open()).map(({ id }) => id)).toEqual([late.id])
  await redeem(late.code)
  expect(await enrolment.open()).toEqual([])
})

test('a code that was taken back enrols nothing; the others do', async () => {
  const { enrolment } = house.devices
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => enrolment.begin({ kind: 'shared' }, 'cli')))
  const told = second!.code.toLowerCase().replaceAll('-', ' ')
  expect(await enrolment.cancel([first!.id, told, 'nothing', first!.id], 'ada')).toBe(2)
  expect(await enrolment.cancel([first!.id, second!.id], 'ada')).toBe(0)
  for (const { code } of [first!, second!]) expect(await refused(redeem(code))).toBe('device-code-invalid')
  expect(await refused(redeem(third!.code))).toBe('done')
  const events = await house.audit.search({ event: 'device-enrolment-cancelled' })
  expect(events).toMatchObject([{ actor: 'ada', count: 2 }])
})

test('a code that is taken back while it is typed enrols a device or counts as taken back, never both', async () => {
  for (let n = 0; n < 25; n++) {
    const { id, code } = await house.devices.enrolment.begin({ kind: 'shared' }, 'cli')
    const [cancelled, done] = await Promise.all([
      house.devices.enrolment.cancel([id], 'cli'),
      refused(redeem(code, { address: `192.0.2.${n}` })),
    ])
    expect([cancelled, done]).toEqual(done === 'done' ? [0, 'done'] : [1, 'device-code-invalid'])
  }
  const { id } = await house.devices.enrolment.begin({ kind: 'shared' }, 'cli')
  const twice = await Promise.all([1, 2].map(() => house.devices.enrolment.cancel([id], 'cli')))
  expect(twice.sort()).toEqual([0, 1])
})

test('what happened to a device is found by it, and who signed in on it', async () => {
  const { device } = await redeem(await begin())
  const { session } = await house.sessions.start({ ...about('p1'), enrolled: device })
  await house.sessions.start({ ...about('p2'), enrolled: null })
  await house.devices.enrolled.revoke(device.id, 'cli')
  const found = await house.audit.search({ device: device.id })
  expect(found.map(({ event, subject, session: of }) => [event, subject, of])).toEqual([
    ['device-revoked', undefined, undefined],
    ['session-started', 'p1', session.id],
    ['device-enrolled', undefined, undefined],
  ])
})

test('when it was last seen is written once an hour', async () => {
  const { device, cookie } = await redeem(await begin())
  const { enrolled } = house.devices
  house.time.now = START + hours(1) - 1
  await enrolled.seen(device)
  expect((await enrolled.find(cookie))!.lastSeenAt).toBe(START)
  house.time.now = START + hours(1)
  await enrolled.seen(device)
  expect((await enrolled.find(cookie))!.lastSeenAt).toBe(START + hours(1))
})

test('devices are listed by site and name', async () => {
  for (const [site, name] of [
    ['0412', 'b'],
    ['0007', 'c'],
    ['0412', 'a'],
  ])
    await redeem(await begin({ site, name }))
  const names = async (wanted = {}) => (await house.devices.enrolled.list(wanted)).map(({ name }) => name)
  expect(await names()).toEqual(['c', 'a', 'b'])
  expect(await names({ site: '0412' })).toEqual(['a', 'b'])
})
