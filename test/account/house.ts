/** The account door in front of real rooms and a real server, and a browser that keeps cookies. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accessMigrations, openAccess, openLivePolicies, openVersions } from '#access'
import { openAccount } from '#account'
import { auditMigrations, createAudit } from '#audit'
import { catalogMigrations, openCatalog } from '#catalog'
import type { Directory } from '#config'
import { openHistory, openPlaces } from '#context'
import { hours } from '#core/clock'
import { silentLog } from '#core/log'
import { randomBytes } from '#core/random'
import { diagnosisMigrations, openDiagnosis } from '#diagnosis'
import { directoryMigrations, openDirectory } from '#directory'
import { factorsMigrations, openFactors, type Proof } from '#factors'
import { createHttpServer } from '#http'
import { keysMigrations, openKeys } from '#keys'
import { createPresenter, errorView } from '#pages'
import { loadPolicies, type Policies } from '#policy'
import { createSignOuts, openDevices, openOutbox, openSessions, sessionsMigrations } from '#sessions'
import { openSignin } from '#signin'
import { openStorage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

export const START = Date.UTC(2026, 10, 22, 9)
export const ISSUER = 'http://localhost:3000'
export const PASSWORD = 'three green tablets'

const POLICIES = {
  'networks.yaml': 'networks:\n  stores: { ranges: [192.0.2.0/24] }\n',
  'account.yaml':
    'policy: account\ntitle: Account\nowner: it@example.org\nrules:\n  - name: everybody\n    allow: { strength: any }\n',
  'apps.yaml': `policy: apps
title: Apps
owner: it@example.org
rules:
  - name: closed outside stores
    when: { app.tags: [store-only], network: { outside: [stores] } }
    deny: { say: Only in a store. }
  - name: risky
    when: { app.tags: [risky] }
    allow: { strength: two-factors }
  - name: everybody
    allow: { strength: any }
`,
}

export const password = (at: number): Proof => ({ factor: 'password', at, amr: ['pwd'] })
export const totp = (at: number): Proof => ({ factor: 'totp', at, amr: ['otp'] })

/** The same, which a decision breaks on that looks at their version: nothing else is outside what `decide` catches. */
function brokenOnce(policies: Policies): Policies {
  let looked = false
  const get = () => {
    if (looked) return policies.version
    looked = true
    throw new Error('broken on purpose')
  }
  return Object.create(policies, { version: { get } })
}

export async function openHouse(policies: Partial<typeof POLICIES> = {}, also: readonly Directory[] = []) {
  const time = { now: START }
  const clock = { now: () => time.now }
  const log = silentLog
  const folder = mkdtempSync(join(tmpdir(), 'portico-account-'))
  for (const [name, text] of Object.entries({ ...POLICIES, ...policies })) writeFileSync(join(folder, name), text)
  const migrations = [
    ...auditMigrations,
    ...keysMigrations,
    ...directoryMigrations,
    ...factorsMigrations,
    ...sessionsMigrations,
    ...catalogMigrations,
    ...accessMigrations,
    ...diagnosisMigrations,
  ]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log, migrations })
  const audit = createAudit({ storage, clock, log })
  const keys = await openKeys({ storage, clock, log, audit, masterKey: randomBytes(32) })
  const directories: Directory[] = [{ id: 'local', kind: 'local' }, ...also]
  const people = await openDirectory({ storage, clock, log, audit, directories, folder })
  const factors = openFactors({
    storage,
    clock,
    log,
    audit,
    keys,
    issuer: ISSUER,
    organisation: 'Kestrel',
    verifyPassword: people.verifyPassword,
    hasPassword: people.hasPassword,
  })
  const sessions = openSessions({ storage, clock, log, audit, defaults: { idle: hours(2), max: hours(12) } })
  const devices = openDevices({ storage, clock, audit })
  const catalog = await openCatalog({ storage, clock, audit, keys, templates: folder })
  const versions = openVersions(storage, clock)
  const opened = await openLivePolicies({ folder, log, versions })
  let broken = false
  const live = { ...opened, current: () => (broken ? brokenOnce(opened.current()) : opened.current()) }
  const places = openPlaces({ log })
  const history = openHistory({ state: storage.state, clock })
  const access = openAccess({
    storage,
    keys,
    clock,
    log,
    people,
    sessions,
    devices,
    policies: live,
    versions,
    places,
    history,
  })
  const presenter = createPresenter({ organisation: 'Kestrel', languages: ['en', 'nl'] })
  const signOuts = createSignOuts({
    sessions,
    outbox: openOutbox({ storage, clock, log, audit }),
    state: storage.state,
  })
  const diagnosis = openDiagnosis({ issuer: ISSUER, storage, clock, log, catalog })
  const rooms = {
    storage,
    clock,
    log,
    audit,
    access,
    people,
    factors,
    sessions,
    devices,
    catalog,
    diagnosis,
    presenter,
  }
  const signin = openSignin({
    ...rooms,
    signOuts,
    deliver: async () => {},
    issuer: ISSUER,
    routing: [],
    support: undefined,
  })
  const agreed = new Map<string, { app: string; scopes: string[] }[]>()
  const revoked: string[] = []
  const { storage: _, ...given } = rooms
  const account = openAccount({
    ...given,
    signin,
    consents: {
      ofPerson: async (person) => agreed.get(person) ?? [],
      withdraw: async (person) => agreed.delete(person),
    },
    revoke: async (person, app) => void revoked.push(`${person} ${app}`),
  })
  const server = await createHttpServer({
    listen: '127.0.0.1:0',
    issuer: ISSUER,
    proxies: [],
    routes: [...signin.routes, ...account.routes],
    renderRefusal: (refusal, request) =>
      presenter.page(request, (messages) => errorView({ code: refusal.code, home: '/' }, messages), {
        status: refusal.status,
      }),
    log,
  })
  const browser = () => createBrowser(`http://127.0.0.1:${server.port}`)

  return {
    ...rooms,
    time,
    signin,
    account,
    agreed,
    revoked,
    browser,
    person: (username: string, more: { directory?: string; password?: string | undefined } = {}) =>
      people.add(
        { username, name: `Person ${username}`, directory: 'local', password: PASSWORD, ...more } as never,
        'cli',
      ),
    /** A browser in which this person is signed in by these proofs. */
    async signedIn(personId: string, proofs: readonly Proof[] = [password(time.now)]) {
      const { session, cookie } = await sessions.start({ personId, proofs, address: '127.0.0.1' })
      const one = browser()
      one.cookies.set(sessions.cookieName, cookie)
      return { ...one, session }
    },
    /** While `work` runs, every decision breaks. */
    async whileBroken<T>(work: () => Promise<T>): Promise<T> {
      broken = true
      return work().finally(() => {
        broken = false
      })
    },
    /** Puts these files in force as the next publication. */
    async publish(files: Partial<typeof POLICIES> = {}) {
      const all = new Map(Object.entries({ ...POLICIES, ...policies, ...files }))
      const { version } = loadPolicies({ label: 'policies', files: all }).policies!
      const about = { version, files: all, author: 'ada', message: '', rollback: false }
      await versions.add(about, await versions.head())
      await live.reload()
    },
    events: async () => (await audit.search({})).map((entry) => entry.event),
    async close() {
      await server.close(0)
      live.close()
      await storage.close()
      rmSync(folder, { recursive: true })
    },
  }
}

export interface Page {
  readonly status: number
  readonly location: string
  readonly headers: Headers
  readonly body: string
}

function createBrowser(origin: string) {
  const cookies = new Map<string, string>()
  async function send(method: string, path: string, form?: Record<string, string>): Promise<Page> {
    const answer = await fetch(origin + path, {
      method,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form ? { body: new URLSearchParams(form) } : {}),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return {
      status: answer.status,
      location: answer.headers.get('location') ?? '',
      headers: answer.headers,
      body: await answer.text(),
    }
  }
  const get = (path: string) => send('GET', path)
  return {
    cookies,
    get,
    post: (path: string, form: Record<string, string> = {}) => send('POST', path, form),
    /** GETs, and goes where it is sent, until a page comes. */
    async follow(path: string): Promise<Page & { path: string }> {
      for (let steps = 0; steps < 10; steps++) {
        const page = await get(path)
        if (page.status !== 303) return { ...page, path }
        path = page.location
      }
      throw new Error('sent in circles')
    },
  }
}
