/** Publishing: what may decide, who may put it there, and what every process then has. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest'
import {
  accessMigrations,
  openLivePolicies,
  openVersions,
  PoliciesInvalid,
  type PublishRooms,
  policiesOf,
  publish,
  rollBack,
} from '#access'
import { type Audit, auditMigrations, createAudit } from '#audit'
import { type Log, silentLog } from '#core/log'
import { directoryMigrations, openDirectory, type People } from '#directory'
import type { EnrolledFactor, FactorKind } from '#factors'
import { type Devices, openDevices, sessionsMigrations } from '#sessions'
import { inDialect, openStorage, type Storage } from '#storage'
import { findErrors } from '../../src/access/checks.ts'
import { emptyStorageUrl } from '../support/storage.ts'
import { NINE } from './house.ts'

const NETWORKS = 'networks: { office: { ranges: [198.51.100.0/25] } }\n'
const CONSOLE = (rule: string, tests = '') => `policy: administrators\nrules:\n  - ${rule}\n${tests}`
const OPEN = CONSOLE(
  '{ name: administration, when: { user.groups: [administrators] }, allow: { strength: two-factors } }',
)
const ACCOUNT = 'policy: account\nrules: [{ name: all, allow: {} }]\n'
const GOOD = { 'networks.yaml': NETWORKS, 'administrators.yaml': OPEN, 'account.yaml': ACCOUNT }

let folder: string
let storage: Storage
let clock: { at: number; now(): number }
let rooms: PublishRooms & { audit: Audit; people: People; breakGlass: string[]; devices: Devices }
const enrolled = new Map<string, FactorKind[]>()
const apps: { id: string; policy: string }[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-publish-'))
  clock = { at: NINE, now: () => clock.at }
  const migrations = [...auditMigrations, ...directoryMigrations, ...sessionsMigrations, ...accessMigrations]
  storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  const audit = createAudit({ storage, clock, log: silentLog })
  const directories = [{ id: 'local', kind: 'local' as const }]
  const people = await openDirectory({ storage, clock, log: silentLog, audit, directories, folder })
  const factors = {
    enrolled: async (id: string) =>
      (enrolled.get(id) ?? []).map((kind): EnrolledFactor => ({ id: kind, kind, label: '', createdAt: 0 })),
  }
  apps.length = 0
  const registered = { list: async () => apps as never }
  const devices = openDevices({ storage, clock, audit })
  const versions = openVersions(storage, clock)
  rooms = { versions, people, factors, apps: registered, devices, audit, clock, breakGlass: [] }
  write(GOOD)
})
afterEach(async () => {
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

function write(files: Readonly<Record<string, string>>): void {
  rmSync(join(folder, 'policies'), { recursive: true, force: true })
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, 'policies', name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}

const signed = { author: 'ada', message: 'why' }
const publishFolder = () => publish(join(folder, 'policies'), signed, rooms)
const codes = async () => {
  const result = await publishFolder()
  return 'problems' in result ? result.problems.map(({ code }) => code) : []
}
async function administrator(username: string, ...kinds: FactorKind[]): Promise<string> {
  const { id } = await rooms.people.add({ username, name: username, groups: ['administrators'] }, 'test')
  enrolled.set(id, kinds)
  return id
}

describe('a version', () => {
  test('has its files, its author and its message, and decides as the folder did', async () => {
    const result = await publishFolder()
    const publication = { number: 1, at: NINE, author: 'ada', message: 'why', rollback: false }
    expect(result).toMatchObject({ publication })
    expect(await rooms.versions.list(9)).toMatchObject([publication])
    const { version } = (await rooms.versions.find('current'))!
    expect(Object.fromEntries((await rooms.versions.files(version))!.files)).toEqual(GOOD)
    expect((await policiesOf(rooms.versions, version))!.version).toBe(version)
  })

  test('that is in force already is not published twice', async () => {
    await publishFolder()
    expect(await publishFolder()).toMatchObject({ unchanged: { number: 1 } })
    expect(await rooms.versions.head()).toBe(1)
  })

  test('is found by number, by version and by its beginning', async () => {
    await publishFolder()
    const { version } = (await rooms.versions.find('1'))!
    for (const named of [version, version.slice(0, 19), version.slice(7, 15), 'current'])
      expect(await rooms.versions.find(named)).toMatchObject({ number: 1 })
    for (const named of ['2', '0', '-1', 'sha256:', 'abc', '%', 'sha256:zzzzzzzz', ''])
      expect(await rooms.versions.find(named)).toBeUndefined()
  })

  test('whose bytes have changed on the disk decides nothing', async () => {
    await publishFolder()
    await storage.records
      .updateTable('policy_files')
      .set({ text: ACCOUNT.replace('all', 'alll') })
      .where('text', '=', ACCOUNT)
      .execute()
    const { version } = (await rooms.versions.find('current'))!
    expect(await policiesOf(rooms.versions, version)).toBeUndefined()
    await expect(
      openLivePolicies({ folder: join(folder, 'policies'), log: silentLog, versions: rooms.versions }),
    ).rejects.toThrow(/version-unusable/)
  })
})

describe('is refused, and changes nothing:', () => {
  afterEach(async () => expect(await rooms.versions.head()).toBe(0))

  test.each([
    ['a file with a mistake', { ...GOOD, 'x.yaml': 'policy: x\nruls: []\n' }, 'unknown-key'],
    ['half a file', { ...GOOD, 'x.yaml': OPEN.slice(0, 70) }, 'yaml-invalid'],
    [
      'a test that fails',
      { ...GOOD, 'administrators.yaml': `${OPEN}tests: [{ name: t, given: {}, expect: { outcome: allow } }]\n` },
      'test-failed',
    ],
    ['an empty folder', {}, 'folder-unreadable'],
  ])('%s', async (_what, files, code) => {
    write(files as Record<string, string>)
    expect(await codes()).toContain(code)
  })

  test('policies under which no administrator could reach the console', async () => {
    await administrator('ada', 'password', 'totp')
    for (const rule of [
      '{ name: nobody, deny: {} }',
      '{ name: others, when: { user.groups: [staff] }, allow: {} }',
      '{ name: keys, when: { user.groups: [administrators] }, allow: { strength: hardware } }',
      '{ name: late, when: { request.kind: [api] }, allow: {} }',
    ]) {
      write({ ...GOOD, 'administrators.yaml': CONSOLE(rule) })
      expect(await codes(), rule).toEqual(['administrators-locked-out'])
    }
    await administrator('glass', 'password', 'passkey')
    rooms.breakGlass.push('glass')
    // nobody at all gets in, which is said once
    write({ 'account.yaml': ACCOUNT })
    expect(await codes()).toEqual(['entrance-without-policy'])
    write({ ...GOOD, 'administrators.yaml': CONSOLE('{ name: nobody, deny: {} }') })
    expect(await codes()).toEqual(['administrators-locked-out'])
  })

  test('policies without that of an app that is registered, or of an entrance, all of them at once', async () => {
    apps.push({ id: 'crm', policy: 'crm' }, { id: 'web', policy: 'account' }, { id: 'old', policy: 'gone' })
    write({ 'administrators.yaml': OPEN })
    const result = await publishFolder()
    expect('problems' in result && result.problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^entrance-without-policy .*`account`/),
      expect.stringMatching(/^app-without-policy app `crm` names the policy `crm`/),
      expect.stringMatching(/^app-without-policy app `web`/),
      expect.stringMatching(/^app-without-policy app `old`/),
    ])
  })

  test('policies that let administrators in for no time at all, themselves or by the baseline', async () => {
    await administrator('ada', 'password', 'totp')
    for (const idle of ['0s', '0d']) {
      write({ ...GOOD, 'administrators.yaml': CONSOLE(`{ name: a, allow: { session: { idle: ${idle} } } }`) })
      expect(await codes()).toEqual(['administrators-locked-out'])
    }
    const always = 'rules: [{ name: all, allow: { session: { max: 0s } } }]'
    write({ ...GOOD, 'base.yaml': `policy: base\nbaseline: true\n${always}\n` })
    expect(new Set(await codes())).toEqual(new Set(['administrators-locked-out']))
  })

  test('a console for enrolled devices only, where none is enrolled that would do', async () => {
    await administrator('ada', 'password', 'totp')
    const only = 'when: { device.enrolled: true, device.site: "0001", device.kind: shared }'
    write({ ...GOOD, 'administrators.yaml': CONSOLE(`{ name: a, ${only}, allow: {} }`) })
    const { enrolled } = rooms.devices
    expect(await codes()).toEqual(['administrators-locked-out'])
    const about = { kind: 'shared', name: 'Till', enrolledBy: 'cli' } as const
    await enrolled.add({ ...about, site: '0002' }, undefined)
    expect(await codes()).toEqual(['administrators-locked-out'])
    const { device } = await enrolled.add({ ...about, site: '0001' }, undefined)
    const live = await openLivePolicies({ folder: join(folder, 'policies'), log: silentLog })
    expect(await findErrors(live.current(), rooms)).toEqual([])
    await enrolled.revoke(device.id, 'cli')
    expect(await codes()).toEqual(['administrators-locked-out'])
  })

  test('known devices only, everywhere, for whoever is known on none: none could ever become known', async () => {
    const id = await administrator('glass', 'password', 'passkey')
    rooms.breakGlass.push('glass')
    const known = 'when: { device.known: true }'
    const closed = {
      ...GOOD,
      'administrators.yaml': CONSOLE(`{ name: a, ${known}, allow: {} }`),
      'account.yaml': ACCOUNT.replace('allow', `${known}, allow`),
    }
    write(closed)
    expect(await codes()).toEqual(['administrators-locked-out', 'break-glass-locked-out'])
    await rooms.devices.remember(undefined, id, { label: 'a laptop' })
    const live = await openLivePolicies({ folder: join(folder, 'policies'), log: silentLog })
    expect(await findErrors(live.current(), rooms)).toEqual([])
  })

  test('policies that lock out somebody of break_glass, though others could get in', async () => {
    await administrator('ada', 'password', 'passkey')
    await administrator('glass', 'password')
    rooms.breakGlass.push('glass')
    expect(await codes()).toEqual(['break-glass-locked-out'])
    rooms.breakGlass.push('nobody')
    expect(await codes()).toEqual(['break-glass-locked-out', 'break-glass-locked-out'])
  })
})

test('a publication whose event cannot be written is none', async () => {
  const { begin, end } = inDialect(storage.records, {
    sqlite: {
      begin: sql`create trigger refusing before insert on audit_events when new.event = 'policies-published'
        begin select raise(abort, 'full'); end`,
      end: sql`drop trigger refusing`,
    },
    postgres: {
      begin: sql`alter table audit_events add constraint "full" check (event <> 'policies-published')`,
      end: sql`alter table audit_events drop constraint "full"`,
    },
  })
  await begin.execute(storage.records)
  await expect(publishFolder()).rejects.toThrow('full')
  expect(await rooms.versions.head()).toBe(0)
  await end.execute(storage.records)
  await publishFolder()
  expect(await rooms.audit.search({ event: 'policies-published' })).toMatchObject([{ actor: 'cli', count: 1 }])
})

describe('is published:', () => {
  test('what `policy check` only warns of', async () => {
    const twice = ['{ name: a, allow: {} }', '{ name: never, when: { user.groups: [nobody-is-in] }, deny: {} }']
    write({ ...GOOD, 'x.yaml': `policy: x\nrules:\n  - ${twice.join('\n  - ')}\n` })
    expect(await codes()).toEqual([])
  })

  test.each([
    ['from one network only', 'network: [office]'],
    ['outside of it only', 'network: { outside: [office] }'],
    ['in working hours only', "time: { days: tue, between: '08:00-18:00', zone: Europe/Amsterdam }"],
    ['on a known device only', 'device.known: true'],
    ['on a new device only', 'device.known: false'],
    ['in one country only', 'country: [NL]'],
    ['after no journey', 'not: { travel.speed: { over: 900 } }'],
    ['to whoever does not come often', 'not: { frequency.sign_ins: { over: 10, within: 5m } }'],
    ['not on a shared device', 'not: { device.kind: shared }'],
    ['not on an enrolled device', 'device.enrolled: false'],
    ['on one platform only', 'device.platform: [macos]'],
    ['for ten minutes a week', "time: { days: sun, between: '03:10-03:20', zone: Europe/Amsterdam }"],
    ['in one network without another that is inside it', 'network: { in: [campus], outside: [office] }'],
    ['in the second country of a site file', 'network: [stores], country: [PT]'],
    ['by the clock of the site only', "time: { days: tue, between: '08:00-09:00', zone: site }"],
  ])('a console that opens %s', async (_what, when) => {
    await administrator('ada', 'password', 'totp')
    write({
      ...GOOD,
      'networks.yaml': `networks: { office: { ranges: [198.51.100.0/25] }, campus: { ranges: [198.51.100.0/24] }, stores: { file: s.csv } }\n`,
      's.csv': 'cidr,site,country,zone\n192.0.2.0/25,1,NL,Europe/Amsterdam\n192.0.2.128/25,2,PT,Europe/Lisbon\n',
      'administrators.yaml': CONSOLE(`{ name: a, when: { user.groups: [administrators], ${when} }, allow: {} }`),
    })
    expect(await codes()).toEqual([])
  })

  test('where an administrator without a second factor may add one on the way, and not where they may not', async () => {
    await administrator('new', 'password')
    expect(await codes()).toEqual([])
    write({ ...GOOD, 'account.yaml': ACCOUNT.replace('allow', 'when: { request.kind: [app] }, allow') })
    const result = await publishFolder()
    // the second because of the first, but somebody with a second factor would not have it
    expect('problems' in result && result.problems.map(({ code, message }) => [code, message])).toEqual([
      ['administrators-locked-out', expect.stringContaining('change how they sign in')],
      ['administrators-locked-out', expect.stringContaining('no administrator could reach the console')],
    ])
  })

  test('a console for a few of very many administrators, wherever they stand in the list', async () => {
    for (let n = 0; n < 120; n++) await administrator(`admin${String(n).padStart(3, '0')}`, 'password')
    const owners = 'when: { user.groups: [owners] }'
    write({ ...GOOD, 'administrators.yaml': CONSOLE(`{ name: a, ${owners}, allow: {} }`) })
    expect(await codes()).toEqual(['administrators-locked-out'])
    const last = await administrator('zoe', 'password')
    await rooms.people.addToGroup(last, 'owners', 'test')
    expect(await codes()).toEqual([])
    await rooms.people.removeFromGroup(last, 'owners', 'test')
    // also where a rule names them one by one
    write({ ...GOOD, 'administrators.yaml': CONSOLE(`{ name: a, when: { user.id: ['${last}'] }, allow: {} }`) })
    expect(await codes()).toEqual([])
    // and where only what they have enrolled tells them apart
    enrolled.set(last, ['password', 'recovery-code'])
    write({
      ...GOOD,
      's.yaml': 'strengths: { codes: [[password, recovery-code]] }\n',
      'administrators.yaml': CONSOLE('{ name: a, allow: { strength: codes } }'),
    })
    expect(await codes()).toEqual([])
  })

  test('what would take too long to look through: not sure is no refusal, though of fewer people it is one', async () => {
    const networks = Array.from({ length: 300 }, (_, n) => `n${n}: { ranges: [10.${n >> 8}.${n & 255}.0/24] }`)
    write({
      ...GOOD,
      'networks.yaml': `networks: { office: { ranges: [198.51.100.0/25] }, ${networks.join(', ')} }\n`,
      'administrators.yaml': CONSOLE("{ name: a, when: { user.id: ['nobody'], network: [n7] }, allow: {} }"),
    })
    for (const username of ['a', 'b']) await administrator(username, 'passkey')
    expect(await codes()).toEqual(['administrators-locked-out'])
    for (let n = 0; n < 9; n++) await administrator(`more${n}`, 'passkey')
    expect(await codes()).toEqual([])
  })

  test('whoever is switched off counts for nothing, and break glass that can get in is fine', async () => {
    await rooms.people.disable(await administrator('off', 'password'), 'test', { force: true })
    await administrator('glass', 'password', 'passkey')
    rooms.breakGlass.push('glass')
    expect(await codes()).toEqual([])
  })
})

describe('of several publishers', () => {
  test('one wins and the others are told', async () => {
    const candidates = Array.from({ length: 20 }, (_, i) => ({
      label: 'policies',
      files: new Map(Object.entries({ ...GOOD, 'x.yaml': `policy: x\nrules: [{ name: r${i}, allow: {} }]\n` })),
    }))
    const results = await Promise.allSettled(candidates.map((candidate) => publish(candidate, signed, rooms)))
    const won = results.filter(({ status }) => status === 'fulfilled').length
    if (inject('postgresPort') === undefined) expect(won).toBe(1)
    // where connections are waited for, somebody may begin when the first one is through: that is no race any more
    expect(won).toBeGreaterThanOrEqual(1)
    expect(won).toBeLessThan(candidates.length / 2)
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'state-conflict' })
    expect(await rooms.versions.list(99)).toHaveLength(won)
    expect((await rooms.audit.search({ event: 'policies-published' })).length).toBe(won)
  })
})

describe('rolling back', () => {
  const other = { ...GOOD, 'x.yaml': 'policy: x\nrules: [{ name: r, allow: {} }]\n' }

  /** Publishes so many versions that differ, `v1` the first. */
  async function versions(count: number): Promise<string[]> {
    for (let n = 1; n <= count; n++) {
      write({ ...GOOD, 'x.yaml': `policy: x\nrules: [{ name: r${n}, allow: {} }]\n` })
      await publishFolder()
    }
    return (await rooms.versions.list(99)).reverse().map(({ version }) => version)
  }
  const back = async (named?: string) => {
    const result = await rollBack(named, signed, rooms)
    return 'publication' in result ? result.publication : undefined
  }

  test('puts the version before in force, as a publication of its own, and once more the one before that', async () => {
    const [first, second] = await versions(3)
    expect(await back()).toMatchObject({ number: 4, version: second, rollback: true, restores: 2 })
    // the third is bad: it must not come back by being what was in force last
    expect(await back()).toMatchObject({ number: 5, version: first, rollback: true, restores: 1 })
    await expect(rollBack(undefined, signed, rooms)).rejects.toMatchObject({ code: 'version-unknown' })
    expect(await rooms.versions.lineage()).toEqual([1])
    const events = await rooms.audit.search({ event: 'policies-rolled-back' })
    expect(events.map(({ reason, count }) => [reason, count])).toEqual([
      [first, 5],
      [second, 4],
    ])
  })

  test('after something new goes back to what that replaced, not to what was rolled back before', async () => {
    const [first, second] = await versions(3)
    await back()
    write({ ...GOOD, 'x.yaml': 'policy: x\nrules: [{ name: mended, allow: {} }]\n' })
    await publishFolder()
    expect(await rooms.versions.lineage()).toEqual([1, 2, 5])
    expect(await back()).toMatchObject({ number: 6, version: second })
    expect(await back()).toMatchObject({ number: 7, version: first })
  })

  test('to a named one goes anywhere, and on from where that one was', async () => {
    const [first, second, third] = await versions(3)
    expect(await back('1')).toMatchObject({ number: 4, version: first, restores: 1 })
    expect(await back('3')).toMatchObject({ number: 5, version: third })
    expect(await back()).toMatchObject({ number: 6, version: second })
    // by the number of a rollback: what that one restored
    expect(await back('4')).toMatchObject({ number: 7, version: first })
    await expect(rollBack(undefined, signed, rooms)).rejects.toMatchObject({ code: 'version-unknown' })
  })

  test('walks back also along rollbacks of before the database kept where they went', async () => {
    const [first, second] = await versions(3)
    await back()
    await storage.records.updateTable('policy_publications').set({ restores: null }).execute()
    expect(await rooms.versions.lineage()).toEqual([1, 2])
    expect(await back()).toMatchObject({ version: first })
    expect(await back('2')).toMatchObject({ version: second })
  })

  test('to what was never published, or before anything was, is refused', async () => {
    await expect(rollBack(undefined, signed, rooms)).rejects.toMatchObject({ code: 'version-unknown' })
    await publishFolder()
    await expect(rollBack(undefined, signed, rooms)).rejects.toMatchObject({ code: 'version-unknown' })
    await expect(rollBack('9', signed, rooms)).rejects.toMatchObject({ code: 'version-unknown' })
  })

  test('to a version without the policy of an app that came later is refused', async () => {
    await publishFolder()
    write(other)
    await publishFolder()
    apps.push({ id: 'crm', policy: 'x' })
    expect(await rollBack(undefined, signed, rooms)).toMatchObject({ problems: [{ code: 'app-without-policy' }] })
    expect(await rooms.versions.head()).toBe(2)
  })

  test('to a version that would lock everybody out by now is refused', async () => {
    await publishFolder()
    write({
      ...GOOD,
      'administrators.yaml': CONSOLE('{ name: a, when: { user.groups: [administrators] }, allow: {} }'),
    })
    await publishFolder()
    await administrator('ada', 'password')
    write({ ...GOOD, 'account.yaml': 'policy: account\nrules: [{ name: none, deny: {} }]\n' })
    const result = await rollBack('1', signed, { ...rooms, factors: { enrolled: async () => [] } })
    expect(result).toMatchObject({ problems: [{ code: 'administrators-locked-out' }] })
  })
})

describe('a running process', () => {
  const opened: { close(): void }[] = []
  afterEach(() => {
    for (const live of opened.splice(0)) live.close()
  })
  const start = async (more: object = {}) => {
    const live = await openLivePolicies({
      folder: join(folder, 'policies'),
      log: silentLog,
      versions: rooms.versions,
      audit: rooms.audit,
      ...more,
    })
    opened.push(live)
    return live
  }
  /** Waits until it is so. */
  async function until(is: () => boolean): Promise<void> {
    while (!is()) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  test('follows the folder until something was published, and then what was published', async () => {
    const [one, two] = [await start(), await start()]
    for (const live of [one, two]) live.follow()
    expect(one.publication()).toBe(0)
    write({ ...GOOD, 'x.yaml': 'policy: from-folder\nrules: [{ name: r, allow: {} }]\n' })
    await until(() => one.current().names.includes('from-folder') && two.current().names.includes('from-folder'))
    await publishFolder()
    await until(() => one.publication() === 1 && two.publication() === 1)
    // the folder is a candidate from now on, also after a SIGHUP
    write({ ...GOOD, 'x.yaml': 'policy: candidate\nrules: [{ name: r, allow: {} }]\n' })
    await one.reload()
    expect(one.current().names).toContain('from-folder')
    await publishFolder()
    await until(() => one.current().names.includes('candidate') && two.current().names.includes('candidate'))
    await rollBack(undefined, signed, rooms)
    await until(() =>
      [one, two].every((live) => live.publication() === 3 && live.current().names.includes('from-folder')),
    )
  })

  test('takes a folder that has settled, for half of a file can be good policies as well', async () => {
    const live = await start()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      live.follow()
      const look = async () => {
        vi.advanceTimersByTime(500)
        // a turn lasts as long as the storage takes to answer
        for (let turn = 0; turn < 50; turn++)
          await Promise.all([new Promise((resolve) => setImmediate(resolve)), rooms.versions.head()])
        return live.current().names
      }
      const before = live.current().names
      // as a slow copy leaves it from one look to the next: each half is sound
      for (const written of [
        'policy: x\nrules:\n  - { name: a, allow: {} }\n',
        'policy: x\nrules:\n  - { name: a, allow: {} }\n  - { name: b, ',
      ]) {
        write({ ...GOOD, 'x.yaml': written })
        expect(await look()).toEqual(before)
      }
      write({ ...GOOD, 'x.yaml': 'policy: x\nrules:\n  - { name: a, allow: {} }\n  - { name: b, deny: {} }\n' })
      expect(await look()).toEqual(before)
      expect(await look()).toEqual([...before, 'x'])
      // gone for one look, as where a deployment puts another in its place, is not even a problem
      rmSync(join(folder, 'policies'), { recursive: true })
      await look()
      write(GOOD)
      await look()
      expect(await look()).toEqual(before)
      expect(await rooms.audit.search({ event: 'policies-refused' })).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })

  describe('that follows the folder', () => {
    const said: string[] = []
    const log: Log = { ...silentLog, warn: (event, fields) => void said.push(`${event} ${fields?.['problem']}`) }
    const X = 'policy: x\nrules: [{ name: r, allow: {} }]\n'
    const startAsked = async () => {
      said.length = 0
      return start({ log, rooms })
    }

    test('keeps what it has where the folder would lock administrators out or leave an app without policy', async () => {
      write({ ...GOOD, 'x.yaml': X })
      apps.push({ id: 'crm', policy: 'x' })
      await administrator('ada', 'password', 'totp')
      const live = await startAsked()
      const { version } = live.current()
      expect(said).toEqual([])
      write({ ...GOOD, 'administrators.yaml': CONSOLE('{ name: keys, allow: { strength: hardware } }') })
      expect((await live.reload()).map(({ code }) => code)).toEqual(['app-without-policy', 'administrators-locked-out'])
      expect(live.current().version).toBe(version)
      expect(said).toHaveLength(2)
      expect(said[1]).toMatch(/^policies-refused .*administrators\.yaml:1:1 administrators-locked-out/)
      expect(await rooms.audit.search({ event: 'policies-refused' })).toMatchObject([{ count: 2 }])
      // the app was removed, and the rule mended
      apps.pop()
      write(GOOD)
      expect(await live.reload()).toEqual([])
      expect(live.current().names).toEqual(['account', 'administrators'])
    })

    test('starts with the best there is, says what is wrong with it, and takes what makes nothing worse', async () => {
      apps.push({ id: 'crm', policy: 'x' }, { id: 'web', policy: 'y' })
      write({ 'administrators.yaml': OPEN })
      const live = await startAsked()
      expect(said).toEqual([
        expect.stringMatching(/^policies-doubtful .*entrance-without-policy/),
        expect.stringMatching(/^policies-doubtful .*app-without-policy app `crm`/),
        expect.stringMatching(/^policies-doubtful .*app-without-policy app `web`/),
      ])
      write({ 'administrators.yaml': OPEN, 'x.yaml': X })
      expect(await live.reload()).toEqual([])
      // a step back is refused, though the start would have taken it
      write({ 'administrators.yaml': OPEN })
      expect((await live.reload()).map(({ message }) => message)).toEqual([expect.stringContaining('app `crm`')])
      expect(live.current().names).toEqual(['administrators', 'x'])
    })
  })

  test('starts with what was published, whatever has become of the folder', async () => {
    await publishFolder()
    rmSync(join(folder, 'policies'), { recursive: true })
    expect((await start()).publication()).toBe(1)
    write({ 'x.yaml': randomBytes(100).toString('latin1') })
    expect((await start()).current().names).toEqual(['account', 'administrators'])
  })

  test('keeps what it has when a publication cannot be used, and says so once', async () => {
    await publishFolder()
    const live = await start()
    write({ ...GOOD, 'x.yaml': 'policy: x\nrules: [{ name: r, allow: {} }]\n' })
    await publishFolder()
    // as a disk, or an older version of Portico, would leave it
    await storage.records.deleteFrom('policy_files').where('text', 'like', 'policy: x%').execute()
    live.follow()
    const refused = async () => (await rooms.audit.search({ event: 'policies-refused' })).length
    while ((await refused()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect([live.publication(), live.current().names]).toEqual([1, ['account', 'administrators']])
    // the next publication is looked at, and the one that cannot be used was looked at once
    await rollBack('1', signed, rooms)
    await until(() => live.publication() === 3)
    expect(await refused()).toBe(1)
  })

  test('told to look twice at once ends with what was published last, and serves others meanwhile', async () => {
    const live = await start()
    const many = Array.from({ length: 30 }, (_, n) => [
      `m${n}.yaml`,
      `policy: m${n}\nrules: [{ name: r, allow: {} }]\n`,
    ])
    write({ ...GOOD, ...Object.fromEntries(many) })
    await publishFolder()
    let turns = 0
    let over = false
    const turn = () => {
      turns++
      if (!over) setImmediate(turn)
    }
    setImmediate(turn)
    const first = live.reload()
    write(GOOD)
    await publishFolder()
    await Promise.all([first, live.reload()])
    over = true
    expect([live.publication(), live.current().names]).toEqual([2, ['account', 'administrators']])
    expect(turns).toBeGreaterThan(many.length)
  })

  test('does not start without good policies', async () => {
    write({ 'x.yaml': 'policy: x\n' })
    await expect(start()).rejects.toThrow(PoliciesInvalid)
  })
})
