import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { parseArguments } from '../../src/cli/arguments.ts'
import type { Context } from '../../src/cli/verb.ts'
import { devicesVerbs } from '../../src/cli/verbs/devices.ts'
import { sessionsVerbs } from '../../src/cli/verbs/sessions.ts'
import { openHouse } from '../../src/house.ts'
import { about, START } from './house.ts'

let house: Awaited<ReturnType<typeof openHouse>>
let folder: string
let sam: string
const defaults = loadSettings(undefined, {}).settings!
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-'))
  mkdirSync(join(folder, 'policies'))
  writeFileSync(join(folder, 'policies/networks.yaml'), 'networks: { stores: { file: stores.csv } }\n')
  writeFileSync(join(folder, 'policies/stores.csv'), 'cidr,site\n192.0.2.0/25,0001\n192.0.2.128/25,0412\n')
  const settings = { ...defaults, storage: { url: 'sqlite::memory:' } }
  house = await openHouse({ settings, folder, clock: { now: () => START }, log: silentLog })
  sam = (await house.people.add({ username: 'sam', name: 'Sam' }, 'cli')).id
})
afterEach(async () => {
  await house.close()
  rmSync(folder, { recursive: true })
})

async function run(line: string) {
  const out: string[] = []
  const err: string[] = []
  let printed: unknown
  const parsed = parseArguments(line.split(' '), [...sessionsVerbs, ...devicesVerbs])
  if ('wrong' in parsed) return { code: 2, out, err: [parsed.wrong], printed }
  const context = {
    open: async () => house,
    settings: defaults,
    folder,
    out: (text: string) => out.push(text),
    err: (text: string) => err.push(text),
    print: (value: unknown, human: () => string | readonly string[]) => {
      printed = value
      out.push(...[human()].flat())
    },
  } as unknown as Context
  return { code: await parsed.verb.run(parsed.args, context), out, err, printed }
}

test('sessions end names the apps that are not told from here', async () => {
  const app = (id: string, binding?: string) => ({
    id,
    name: id,
    policy: 'default',
    audience: ['*'],
    saml: {
      entity_id: `https://${id}.example`,
      acs_urls: [`https://${id}.example/acs`],
      ...(binding ? { slo: [{ url: `https://${id}.example/slo`, binding }] } : {}),
    },
  })
  for (const [id, binding] of [['postal', 'post'], ['front', 'redirect'], ['soap', 'soap'], ['deaf']] as const)
    await house.catalog.apps.register(app(id, binding) as never, 'test')
  const opened = async (...apps: string[]) => {
    let { session } = await house.sessions.start(about(sam))
    for (const id of apps)
      session = await house.sessions.addApp(session, { app: id, sid: '_1', via: 'saml', known: '{"value":"x"}' })
    return session.id
  }
  const id = await opened('postal', 'soap')
  expect(await run(`sessions end ${id}`)).toMatchObject({
    printed: { ended: 1, untold: [{ app: 'postal', because: 'browser', count: 1 }] },
    out: ['1 ended', expect.stringMatching(/^postal is not told \(1 session\): only the browser can tell it/)],
  })
  await opened('postal', 'deaf')
  await opened('postal', 'front')
  expect((await run('sessions end --user sam')).printed).toEqual({
    ended: 2,
    untold: expect.arrayContaining([
      { app: 'postal', because: 'browser', count: 2 },
      { app: 'front', because: 'browser', count: 1 },
      { app: 'deaf', because: 'never', count: 1 },
    ]),
  })
})

test('sessions list shows the sessions of everybody, or of one person', async () => {
  expect((await run('sessions list')).out).toEqual(['no sessions'])
  const { session } = await house.sessions.start(about(sam))
  await house.sessions.start(about('p-other'))
  expect((await run('sessions list')).printed).toHaveLength(2)
  const { code, out, printed } = await run('sessions list --user SAM')
  expect([code, printed]).toEqual([0, [session]])
  expect(out[0]).toContain(`${session.id}  sam  since`)
  // of somebody who is gone only the id is left
  expect((await run('sessions list')).out).toContainEqual(expect.stringContaining('  p-other  since'))
  await expect(run('sessions list --user nobody')).rejects.toMatchObject({ code: 'person-unknown' })
})

test('sessions end ends by id, by person, or all; exactly one of them', async () => {
  const start = async (id = sam) => (await house.sessions.start(about(id))).session.id
  const first = await start()
  expect(await run(`sessions end ${first}`)).toMatchObject({ code: 0, printed: { ended: 1 } })
  expect(await run(`sessions end ${first}`)).toMatchObject({ code: 1, printed: { ended: 0 } })
  for (const id of [sam, sam, 'p-other', 'p-other']) await start(id)
  expect(await run('sessions end --user sam')).toMatchObject({ code: 0, printed: { ended: 2 } })
  expect(await run('sessions end --all')).toMatchObject({ code: 0, printed: { ended: 2 } })
  expect(await run('sessions end --all')).toMatchObject({
    code: 0,
    printed: { ended: 0, revoked: 0, untold: [] },
    out: ['0 ended, tokens of 0 people revoked'],
  })
  expect((await run('sessions end')).code).toBe(2)
  expect((await run('sessions end --all --user sam')).code).toBe(2)
})

test('devices enrol prints a code and a link for each device, and no more than was asked', async () => {
  const { code, out, err, printed } = await run('devices enrol --site 0412 --name Till --count 2 --for 12h')
  expect([code, err]).toEqual([0, []])
  const until = START + 12 * 3_600_000
  expect(printed).toEqual(
    [1, 2].map((n) => ({
      code: expect.stringMatching(/^(?:[0-9A-Z]{4}-){2}[0-9A-Z]{4}$/),
      url: expect.stringMatching(/^http:\/\/localhost:3000\/device\//),
      id: expect.stringMatching(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/),
      ...{ kind: 'shared', site: '0412', name: `Till ${n}`, endsAt: until },
    })),
  )
  const [first, second] = printed as { code: string; url: string }[]
  expect(first!.url).toBe(`http://localhost:3000/device/${first!.code}`)
  expect(first!.code).not.toBe(second!.code)
  expect(out[0]).toContain(`${first!.code}  ${first!.url}  shared  site 0412  Till 1  until 2026-11-22T21:00:00Z`)
  expect(out.at(-1)).toContain('http://localhost:3000/device')
  const each = await run('devices enrol --site 0001 --site 0412 --site 0001 --kind personal')
  expect((each.printed as { site: string; kind: string }[]).map(({ site, kind }) => [site, kind])).toEqual(
    ['0001', '0412'].map((site) => [site, 'personal']),
  )
})

test('devices enrol warns of a site that no file of the policies names, and makes the code all the same', async () => {
  const { code, err, printed } = await run('devices enrol --site 0413')
  expect([code, err, printed]).toEqual([
    0,
    ['no site file of the policies names `0413`; did you mean `0412`?'],
    [expect.objectContaining({ site: '0413' })],
  ])
  const many = await run(`devices enrol ${Array.from({ length: 30 }, (_, n) => `--site far-away-${n}`).join(' ')}`)
  expect([many.err.length, many.err.at(-1)]).toEqual([21, 'nor do they name 10 more of these sites'])
  expect((await run('devices enrol --site elsewhere')).err).toEqual(['no site file of the policies names `elsewhere`'])
})

test.each([
  'devices enrol tablet',
  'devices enrol --kind public',
  'devices enrol --for 0s',
  'devices enrol --from stores',
  'devices enrol --from 192.0.2.0/33',
  'devices enrol --from 010.1.1.1',
  'devices enrol --from 192.0.2.1/24/8',
  'devices enrol --for 8d',
  'devices enrol --for soon',
  'devices enrol --count 0',
  'devices enrol --count -1',
  'devices enrol --count 10001',
  'devices enrol --site 0001 --site 0412 --count 5001',
  `devices enrol --name ${'x'.repeat(81)}`,
  'devices enrol --site \u0007',
  'devices list --enrolled --user sam',
  'devices list --site 0412 --user sam',
  'devices codes 0412',
  'devices cancel',
  'devices cancel --all x',
  'devices cancel --all --site 0412',
  'devices revoke',
  'devices revoke --all',
  'devices revoke --site 0412 x',
  'devices revoke --site 0412 --user sam',
])('%s is refused, and nothing is made', async (line) => {
  const { code, err } = await run(line)
  expect([code, err.length]).toEqual([2, 1])
  expect(await house.audit.search({ event: 'device-enrolment-begun' })).toEqual([])
})

test('devices list --enrolled shows what is enrolled, and revoke takes it back by id or by site', async () => {
  expect((await run('devices list --enrolled')).out).toEqual(['no devices'])
  const redeem = async (site: string, name: string) => {
    const { printed } = await run(`devices enrol --site ${site} --name ${name}`)
    const about = { address: '192.0.2.1', label: '', enrolledCookie: undefined, deviceCookie: undefined }
    return (await house.devices.enrolment.redeem((printed as [{ code: string }])[0].code, about)).device
  }
  const [till, desk, other] = [await redeem('0412', 'till'), await redeem('0412', 'desk'), await redeem('0001', 'till')]
  const all = await run('devices list --enrolled')
  expect(all.printed).toEqual([other, desk, till])
  expect(all.out[2]).toBe(
    `${till.id}  shared  site 0412  till  enrolled 2026-11-22T09:00:00Z from 192.0.2.1  last seen 2026-11-22T09:00:00Z`,
  )
  expect((await run('devices list --site 0412')).printed).toEqual([desk, till])
  expect(await run(`devices revoke ${till.id}`)).toMatchObject({ code: 0, printed: { revoked: 1 } })
  expect(await run(`devices revoke ${till.id}`)).toMatchObject({ code: 1, printed: { revoked: 0 } })
  // an enrolled device is nobody's known device
  expect(await run(`devices revoke ${desk.id} --user sam`)).toMatchObject({ code: 1, printed: { revoked: 0 } })
  expect(await run('devices revoke --site 0412')).toMatchObject({ code: 0, printed: { revoked: 1 } })
  expect((await run('devices list --enrolled')).printed).toEqual([other])
})

test('devices enrol --from binds a code, which codes and list show', async () => {
  const { code, printed } = await run('devices enrol --name One --from 192.0.2.0/28 --from 203.0.113.9')
  expect(code).toBe(0)
  expect((await run('devices codes')).out[0]).toContain('  only from 192.0.2.0/28, 203.0.113.9  ')
  const [made] = printed as [{ code: string; from: string[] }]
  expect(made.from).toEqual(['192.0.2.0/28', '203.0.113.9'])
  const redeeming = { label: '', enrolledCookie: undefined, deviceCookie: undefined }
  const redeem = (address: string) => house.devices.enrolment.redeem(made.code, { ...redeeming, address })
  await expect(redeem('198.51.100.1')).rejects.toMatchObject({ code: 'device-code-invalid' })
  await redeem('203.0.113.9')
  expect((await run('devices list --enrolled')).out[0]).toMatch(/ {2}enrolled \S+ from 203\.0\.113\.9 {2}last seen /)
})

test('devices revoke goes on past an id that is none, says which, and exits 1', async () => {
  const ids: string[] = []
  for (const name of ['One', 'Two']) {
    const { printed } = await run(`devices enrol --name ${name}`)
    const { code } = (printed as [{ code: string }])[0]
    const redeeming = { address: '192.0.2.1', label: '', enrolledCookie: undefined, deviceCookie: undefined }
    ids.push((await house.devices.enrolment.redeem(code, redeeming)).device.id)
  }
  const { code, err, out, printed } = await run(`devices revoke ${ids[0]} typo ${ids[1]} ${ids[1]}`)
  expect(code).toBe(1)
  expect(err).toEqual([expect.stringMatching(/^typo: device-unknown: /)])
  expect(out).toEqual(['2 revoked'])
  expect(printed).toEqual({
    revoked: 2,
    rows: [
      { id: ids[0], result: 'revoked' },
      { id: 'typo', result: 'refused', reason: 'device-unknown' },
      { id: ids[1], result: 'revoked' },
    ],
  })
  expect((await run('devices list --enrolled')).printed).toEqual([])
})

test('devices codes shows those that are open, and cancel takes them back by id, code or site, or all', async () => {
  expect((await run('devices codes')).out).toEqual(['no codes'])
  const enrol = async (site: string) =>
    (await run(`devices enrol --site ${site}`)).printed as [{ code: string; id: string }]
  const [[first], [second], [third], [fourth]] = [
    await enrol('0001'),
    await enrol('0001'),
    await enrol('0412'),
    await enrol('0412'),
  ]
  const { out, printed } = await run('devices codes --site 0001')
  expect(printed).toHaveLength(2)
  expect(out).toContain(`${first.id}  shared  site 0001  by cli  until 2026-11-22T09:30:00Z`)
  expect(out.join()).not.toContain(first.code)
  expect(await run(`devices cancel ${first.id} ${second.code}`)).toMatchObject({ code: 0, printed: { cancelled: 2 } })
  expect(await run(`devices cancel ${first.id}`)).toMatchObject({ code: 1, printed: { cancelled: 0 } })
  expect((await run('devices codes')).printed).toHaveLength(2)
  expect(await run('devices cancel --site 0001')).toMatchObject({ code: 0, printed: { cancelled: 0 } })
  expect(await run('devices cancel --site 0412')).toMatchObject({ code: 0, printed: { cancelled: 2 } })
  for (const { code } of [third, fourth]) {
    const about = { address: '192.0.2.1', label: '', enrolledCookie: undefined, deviceCookie: undefined }
    await expect(house.devices.enrolment.redeem(code, about)).rejects.toMatchObject({ code: 'device-code-invalid' })
  }
  await enrol('0412')
  expect(await run('devices cancel --all')).toMatchObject({ code: 0, printed: { cancelled: 1 } })
})

test('devices list and revoke work on the devices of one person', async () => {
  const label = 'Firefox on Linux'
  const { device } = await house.devices.remember(undefined, sam, { label, until: START + 86_400_000 })
  await house.devices.remember(undefined, sam, { label })
  const { printed, out } = await run('devices list --user sam')
  expect(printed).toHaveLength(2)
  expect(out.join('\n')).toContain('trusted until 2026-11-23T09:00:00Z')
  expect(await run(`devices revoke ${device.id} --user sam`)).toMatchObject({ code: 0, printed: { revoked: 1 } })
  expect((await run(`devices revoke ${device.id} --user sam`)).code).toBe(1)
  expect(await run('devices revoke --all --user sam')).toMatchObject({ code: 0, printed: { revoked: 1 } })
  expect((await run('devices list --user sam')).out).toEqual(['no devices'])
  expect((await run('devices list')).code).toBe(2)
  expect((await run('devices revoke --user sam')).code).toBe(2)
})
