/** `portico doctor` at a gateway that is well, and with one thing after the other broken. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Settings } from '#config'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { doctorVerbs } from '../../src/doctor.ts'
import { MIGRATIONS, openHouse } from '../../src/house.ts'
import { makeServerCertificate } from '../support/certificates.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'

let gateway: Gateway
let settings: Settings
const folder = mkdtempSync(join(tmpdir(), 'portico-doctor-'))
beforeAll(async () => {
  gateway = await startGateway()
  const { loadSettings } = await import('#config')
  settings = loadSettings(join(gateway.folder, 'portico.yaml')).settings!
})
afterAll(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Check {
  readonly check: string
  readonly state: string
  readonly say: string
  readonly fix?: string
}

/** Settings as they stand in a file. */
async function read(lines: object): Promise<Settings> {
  const file = join(folder, 'other.yaml')
  writeFileSync(file, JSON.stringify(lines))
  const { loadSettings } = await import('#config')
  const loaded = loadSettings(file)
  expect(loaded.problems).toEqual([])
  return loaded.settings!
}

async function doctor(changed: Partial<Settings> = {}, clock = systemClock) {
  const mine = { ...settings, ...changed }
  const options = { settings: mine, folder: gateway.folder, clock, log: silentLog }
  let house: Awaited<ReturnType<typeof openHouse>> | undefined
  let value: { ok: boolean; checks: Check[] } | undefined
  const said: string[] = []
  const args = { positional: [], flag: () => undefined, flags: () => [], has: () => false }
  const status = await doctorVerbs[0]!.run(args, {
    ...options,
    open: async () => (house ??= await openHouse(options)),
    print(one: typeof value, human: () => string[]) {
      value = one
      said.push(...human())
    },
  } as never)
  await house?.close()
  // the test's PostgreSQL does not wait for the disk
  const not = value!.checks.filter(({ state, say }) => state !== 'ok' && !say.includes('fsync'))
  return { status, said, not, checks: value!.checks }
}

test('what is well is said to be well', async () => {
  const { status, not, checks, said } = await doctor()
  expect(not).toEqual([])
  expect(status).toBe(0)
  expect(checks.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['issuer', 'clock', 'proxies', 'master key', 'schema', 'storage']),
  )
  expect(said.at(-1)).toBe('ok')
  const onServer = settings.storage.url.startsWith('postgres:')
  const clocks = checks
    .filter(({ check }) => check === 'clock')
    .map(({ say }) => say.replace(/^.* s (ahead of|behind) /, ''))
  const redis = settings.state.url?.startsWith('redis') ? ['the clock of Redis'] : []
  expect(clocks).toEqual(['the public address', ...(onServer ? ['the clock of PostgreSQL'] : []), ...redis])
  expect(checks.find(({ check }) => check === 'storage')!.state).toBe(onServer ? 'warning' : 'ok')
})

test('an address where nobody answers, and one where somebody else does', async () => {
  const closed = `http://localhost:${await freePort()}`
  expect(await doctor({ issuer: closed })).toMatchObject({
    status: 1,
    not: [
      { check: 'issuer', state: 'failed', say: expect.stringContaining('cannot be reached'), fix: expect.any(String) },
    ],
  })
  const alias = gateway.issuer.replace('localhost', '127.0.0.1')
  expect((await doctor({ issuer: alias })).not).toMatchObject([
    { check: 'issuer', say: expect.stringContaining(alias) },
  ])
})

test('a clock that is off', async () => {
  const hour = { now: () => systemClock.now() + 3_600_000 }
  const { status, not } = await doctor({}, hour)
  expect(status).toBe(1)
  const clocks = (await doctor()).checks.filter(({ check }) => check === 'clock')
  expect(not.filter(({ check, state }) => check === 'clock' && state === 'failed')).toHaveLength(clocks.length)
  expect(not.every(({ check, say }) => check !== 'clock' || /(3599|3600)\.\d s ahead/.test(say))).toBe(true)
})

test('the clocks of providers, where they tell theirs', async () => {
  const provider = { id: 'head', kind: 'oidc', issuer: gateway.issuer, client_id: 'us', client_secret: 'a secret' }
  const other = { id: 'partner', kind: 'saml', entity_id: 'x', metadata_url: `${gateway.issuer}/saml/metadata` }
  const { directories } = await read({ directories: [{ id: 'local', kind: 'local' }, provider, other] })
  const clocksAt = async (ahead: number) =>
    (await doctor({ directories }, { now: () => systemClock.now() + ahead })).checks.filter(
      ({ check, say }) => check === 'clock' && say.includes('directory'),
    )
  const all = [expect.stringContaining('directory head'), expect.stringContaining('directory partner')]
  expect(await clocksAt(0)).toMatchObject(all.map((say) => ({ state: 'ok', say })))
  expect(await clocksAt(-10_000)).toMatchObject(all.map((say) => ({ state: 'warning', say })))
  expect(await clocksAt(60_000)).toMatchObject(all.map((say) => ({ state: 'failed', say })))
})

test('a master key that others can read, and one that is gone', async () => {
  const file = join(gateway.folder, 'master.key')
  chmodSync(file, 0o644)
  expect((await doctor()).not).toMatchObject([
    { check: 'master key', state: 'failed', fix: expect.stringContaining('chmod 600') },
  ])
  chmodSync(file, 0o600)
  renameSync(file, `${file}.away`)
  expect(await doctor()).toMatchObject({
    status: 1,
    not: [{ check: 'master key' }, { check: 'schema', state: 'failed' }],
  })
  renameSync(`${file}.away`, file)
})

test('migrations that are missing, which it does not apply, and a database that is not there, which it does not make', async () => {
  const url = `sqlite:${join(folder, 'old.db')}`
  const old = MIGRATIONS.slice(0, 5)
  await (await openStorage({ url, clock: systemClock, log: silentLog, migrations: old })).close()
  const before = readFileSync(join(folder, 'old.db'))
  expect((await doctor({ storage: { url } })).not).toMatchObject([
    { check: 'schema', state: 'failed', fix: expect.stringContaining('migrate') },
  ])
  expect(readFileSync(join(folder, 'old.db')).equals(before)).toBe(true)
  const absent = join(folder, 'absent.db')
  expect((await doctor({ storage: { url: `sqlite:${absent}` } })).not).toMatchObject([{ check: 'schema' }])
  expect(() => readFileSync(absent)).toThrow('ENOENT')
})

test('a directory that does not answer, and a Redis that does not', async () => {
  const { loadSettings } = await import('#config')
  const { writeFileSync } = await import('node:fs')
  const port = await freePort()
  const file = join(folder, 'ldap.yaml')
  const ldap = {
    id: 'ad',
    kind: 'ldap',
    url: `ldap://127.0.0.1:${port}`,
    base_dn: 'dc=example',
    insecure_plain_text: true,
  }
  writeFileSync(file, JSON.stringify({ directories: [ldap] }))
  const { settings: read, problems } = loadSettings(file)
  expect(problems).toEqual([])
  const { status, not } = await doctor({ directories: read!.directories })
  expect(not).toMatchObject([{ check: 'directory ad', state: 'failed', fix: expect.any(String) }])
  expect(status).toBe(1)
  const gone = await doctor({ state: { ...settings.state, url: `redis://127.0.0.1:${port}` } })
  expect(gone).toMatchObject({
    status: 1,
    not: [{ check: 'storage', state: 'failed', fix: expect.stringContaining('state.url') }],
  })
})

test('a certificate: believed and old, of another name, of nobody known; and a proxy that is not declared', async () => {
  const usual = getCACertificates('default')
  const start = async (names: string): Promise<{ server: Server; issuer: string }> => {
    await makeServerCertificate(folder, names)
    const [key, cert] = ['server.key', 'server.pem'].map((name) => readFileSync(join(folder, name)))
    const server = createServer({ key: key!, cert: cert! }, (_, response) =>
      response.end(JSON.stringify({ issuer: `https://localhost:${(server.address() as AddressInfo).port}` })),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { server, issuer: `https://localhost:${(server.address() as AddressInfo).port}` }
  }
  const stop = (server: Server) => new Promise((resolve) => server.close(resolve))
  const good = await start('DNS:localhost')
  try {
    expect((await doctor({ issuer: good.issuer })).not[0]).toMatchObject({
      ...{ check: 'tls', state: 'failed' },
      fix: expect.stringContaining('authorities'),
    })
    setDefaultCACertificates([...usual, readFileSync(join(folder, 'ca.pem'), 'utf8')])
    expect(await doctor({ issuer: good.issuer })).toMatchObject({
      status: 0,
      not: [
        { check: 'tls', state: 'warning', say: expect.stringContaining('in 1 days') },
        { check: 'proxies', state: 'warning', fix: expect.stringContaining('name its address') },
        { check: 'proxies', state: 'warning', say: expect.stringContaining('not looked at') },
      ],
    })
    expect((await doctor({ issuer: good.issuer, proxies: ['127.0.0.1'] })).not).toMatchObject([
      { check: 'tls' },
      { check: 'proxies', say: expect.stringContaining('not looked at') },
    ])
  } finally {
    await stop(good.server)
  }
  const other = await start('DNS:elsewhere.example')
  try {
    setDefaultCACertificates([...usual, readFileSync(join(folder, 'ca.pem'), 'utf8')])
    expect((await doctor({ issuer: other.issuer })).not[0]).toMatchObject({
      ...{ check: 'tls', state: 'failed' },
      fix: expect.stringContaining('name'),
    })
  } finally {
    setDefaultCACertificates(usual)
    await stop(other.server)
  }
})
