import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openHouse as openWhole } from '../../src/house.ts'
import { BASE, type SlapdPerson, startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { openHouse, refusalOf, type TestHouse } from './house.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

const many = (count: number): SlapdPerson[] =>
  Array.from({ length: count }, (_, i) => ({ uid: `user${i}`, name: `Person Number${i}`, changed: hour(i) }))

const hour = (i: number): string =>
  `${new Date(Date.UTC(2010, 0, 2, i)).toISOString().slice(0, 19).replace(/\D/g, '')}Z`

const sync = ({ people }: Pick<TestHouse, 'people'>, options = {}) => people.sync('staff', options, 'cli')
const names = async ({ people }: TestHouse) => new Set((await everybody({ people })).map(({ username }) => username))

async function everybody({ people }: Pick<TestHouse, 'people'>) {
  const all = await people.list({ limit: 1000 })
  for (let page = all; page.length === 1000; ) {
    page = await people.list({ limit: 1000, after: page.at(-1)!.id })
    all.push(...page)
  }
  return all
}

async function throughProxy(count: number) {
  const slapd = await startSlapd(many(count), { staff: many(count).map(({ uid }) => uid as string) })
  const proxy = await startTcpProxy({ to: slapd.port })
  onTestFinished(async () => {
    await proxy.close()
    await slapd.end()
  })
  const house = await openHouse([
    slapd.settings({ url: `ldap://127.0.0.1:${proxy.port}`, insecure_plain_text: true, timeout: '1s' }),
  ])
  return { slapd, proxy, house }
}

test.each<[string, 'cut' | 'silence' | 'garble']>([
  ['the connection is cut', 'cut'],
  ['the server falls silent', 'silence'],
  ['what it says is noise from there on', 'garble'],
])('an error in the middle leaves everybody alone who was not read, and the next run goes on: %s', async (_, fault) => {
  const { slapd, proxy, house } = await throughProxy(2000)
  await sync(house)
  const before = new Map((await everybody(house)).map((person) => [person.username, person]))
  const ended: string[] = []
  house.people.onDisabled(async (id) => void ended.push(id))
  await slapd.modify(
    `dn: ${slapd.dn('user7')}\nchangetype: delete\n\ndn: uid=new,ou=people,${BASE}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\ncn: New\nsn: New\n\ndn: ${slapd.dn('user1')}\nchangetype: modify\nreplace: cn\ncn: Renamed\n`,
  )
  let passed = 0
  let broken = false
  proxy.watch((data, direction) => {
    if (direction === 'to-client') passed += data.length
    // after the groups and some pages of people
    if (broken || passed < 300_000) return
    broken = true
    proxy[fault]()
  })
  expect(await refusalOf(sync(house, { full: true }))).toBe('directory-unavailable')
  expect(broken).toBe(true)
  expect(ended).toEqual([])
  for (const person of await everybody(house)) {
    const known = before.get(person.username)
    if (known && person.username !== 'user1') expect(person).toEqual(known)
  }
  expect(await house.audit.search({ event: 'directory-sync-failed' })).toMatchObject([
    { reason: 'staff/directory-unavailable' },
  ])
  proxy.restore()
  house.clock.pass(90_000)
  const report = await sync(house)
  expect(report).toMatchObject({ scope: 'all', resumed: true, added: 1, changed: 1, gone: 1, failed: 0 })
  expect(report.unchanged).toBe(1998)
  expect(ended).toEqual([before.get('user7')!.id])
  expect(
    await house.audit.search({ event: 'person-added', limit: 1000, since: house.clock.now() - 91_000 }),
  ).toBeDefined()
})

test('a server that may be read but not searched by the id is not believed about who is gone', async () => {
  const slapd = await startSlapd(
    many(30),
    {},
    {
      // read, compare and disclose, but no search
      access: `access to attrs=entryUUID by dn.exact="cn=portico,${BASE}" =rcd by * none`,
    },
  )
  onTestFinished(() => slapd.end())
  const house = await openHouse([slapd.settings()])
  await sync(house)
  await slapd.modify(`dn: ${slapd.dn('user3')}\nchangetype: delete\n`)
  expect(await refusalOf(sync(house, { full: true }))).toBe('sync-doubtful')
  expect(await house.people.list({ disabled: true })).toEqual([])
})

test('kill -9 in the middle: the next run goes on, nothing is written twice, and whoever was deleted is found', async () => {
  const count = 3000
  const slapd = await startSlapd(many(count), { staff: many(count).map(({ uid }) => uid as string) })
  const folder = await mkdtemp(join(tmpdir(), 'portico-sync-'))
  onTestFinished(async () => {
    await slapd.end()
    await rm(folder, { recursive: true, force: true })
  })
  const file = join(folder, 'portico.yaml')
  await writeFile(
    file,
    JSON.stringify({
      storage: { url: 'sqlite:portico.db' },
      secrets: { key_file: 'master.key' },
      directories: [{ id: 'local', kind: 'local' }, slapd.settings()],
    }),
  )
  const portico = (...words: string[]): ChildProcess =>
    spawn(process.execPath, [MAIN, ...words, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const over = (child: ChildProcess) => new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const said = async (child: ChildProcess): Promise<string> => {
    let text = ''
    for await (const piece of child.stdout!.setEncoding('utf8')) text += piece
    return text
  }
  const made = portico('people', 'add', 'leo', '--name', 'Leo')
  await over(made)

  const killed = portico('directories', 'sync', 'staff', '--json')
  const gone = over(killed)
  // the one that is killed keeps others out for half a minute of the clock, which is ours here
  const clock = { now: () => systemClock.now() + 31_000 }
  const house = await openWhole({ settings: loadSettings(file).settings!, folder, clock, log: silentLog })
  onTestFinished(() => house.close())
  // after some chunks and before the last
  while ((await house.people.list({ directory: 'staff', limit: 1000 })).length < 500)
    await new Promise((resolve) => setImmediate(resolve))
  process.kill(killed.pid!, 'SIGKILL')
  await gone
  const before = await everybody(house)
  const written = before.filter(({ directory }) => directory === 'staff').length
  expect(written).toBeLessThan(count)
  await slapd.modify(
    `dn: ${slapd.dn(before.find(({ username }) => username.startsWith('user'))!.username)}\nchangetype: delete\n`,
  )
  const report = await sync(house)
  expect(report).toMatchObject({ scope: 'all', resumed: true, gone: 1, failed: 0, changed: 0 })
  expect(report.added).toBe(count)
  const after = await everybody(house)
  expect(after).toHaveLength(count + 1)
  const ids = new Set(after.map(({ id }) => id))
  expect(before.every(({ id }) => ids.has(id))).toBe(true)
  const rows: { subject: string }[] = await house.storage.records
    .selectFrom('audit_events')
    .select(['subject'])
    .where('event', '=', 'person-added')
    .where('reason', '=', 'upstream')
    .execute()
  expect(new Set(rows.map(({ subject }) => subject)).size).toBe(rows.length)
  expect(rows).toHaveLength(count)
  expect(JSON.parse(await said(portico('people', 'show', 'leo', '--json')))).toMatchObject({ disabled: false })
}, 120_000)

test('Active Directory counts instead of telling the time; another server, or a restored one, is read from its beginning', async () => {
  // its attributes on OpenLDAP: what the root says is a file, what entries carry are attributes of their own
  const rootDse = (usn: number, server: string) =>
    `dn:\nhighestCommittedUSN: ${usn}\ndsServiceName: cn=${server},${BASE}\n`
  const slapd = await startSlapd(
    many(20).map((person, i) => ({ ...person, usn: 100 + i })),
    {},
    { counting: rootDse(150, 'one') },
  )
  onTestFinished(() => slapd.end())
  const house = await openHouse([slapd.settings()])
  expect(await sync(house)).toMatchObject({ scope: 'all', added: 20 })
  expect(await sync(house)).toMatchObject({ scope: 'changed', read: 0 })
  const restart = async (usn: number, server: string) => {
    await slapd.stop()
    await writeFile(join(slapd.folder, 'root.ldif'), rootDse(usn, server))
    await slapd.start()
    house.clock.pass(90_000)
  }
  const change = (uid: string, cn: string, usn: number) =>
    slapd.modify(
      `dn: ${slapd.dn(uid)}\nchangetype: modify\nreplace: cn\ncn: ${cn}\n-\nreplace: uSNChanged\nuSNChanged: ${usn}\n`,
    )
  await change('user3', 'Third', 151)
  await restart(151, 'one')
  expect(await sync(house)).toMatchObject({ scope: 'changed', read: 1, changed: 1 })
  // a time that does not move says nothing here
  await change('user4', 'Fourth', 152)
  await restart(152, 'two')
  expect(await sync(house)).toMatchObject({ scope: 'all', read: 20, changed: 1 })
  expect(await names(house)).toContain('user4')
})
