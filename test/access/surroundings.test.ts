/** What is looked up and kept for a decision: as much as its policy needs, and not a read more. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { accessMigrations, openAccess, openLivePolicies, type Question } from '#access'
import { auditMigrations, createAudit } from '#audit'
import type { App } from '#catalog'
import { openHistory } from '#context'
import { minutes } from '#core/clock'
import { silentLog } from '#core/log'
import type { Person } from '#directory'
import { openDevices, openSessions, type Session, sessionsMigrations } from '#sessions'
import { openStorage, type Storage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'
import { watchedState } from '../support/watched-state.ts'
import { NO_OUTAGES } from './rooms.ts'

const START = Date.parse('2026-11-23T09:00:00Z')
const RULES: Readonly<Record<string, string>> = {
  plain: 'network: [sites], user.groups: [staff], device.known: false',
  place: 'country: [NL]',
  journey: 'travel.speed: { over: 900 }',
  country: 'travel.new_country: { over: 90d }',
  absent: 'frequency.absent: { over: 30d }',
  often: 'frequency.sign_ins: { over: 3, within: 5m }, frequency.prompts: { over: 3, within: 1h }',
  opens: 'frequency.app_opens: { over: 3, within: 5m }',
  all: 'travel.speed: { over: 900 }, frequency.absent: { over: 30d }, frequency.failures: { over: 3, within: 5m }, country: [NL]',
  vouched: 'upstream.assurance: any',
  platform: 'device.platform: android',
}
const CSV = 'cidr,site,latitude,longitude,country\n10.0.0.0/8,whole,52.09,5.12,NL\n172.16.0.0/12,half,,,BE\n'

const time = { now: START }
const clock = { now: () => time.now }
const folder = mkdtempSync(join(tmpdir(), 'portico-surroundings-'))
const asked: string[] = []
const places = {
  find(address: string) {
    asked.push(address)
    return address === '203.0.113.9' ? { country: 'DE', latitude: 50.11, longitude: 8.68 } : undefined
  },
}

let storage: Storage
let access: ReturnType<typeof openAccess>
const judgedBy = (content: boolean) => ['journey', 'country'].map((policy) => ({ policy, content }))
let history: ReturnType<typeof openHistory>
let calls: { reads: number; writes: number }

beforeAll(async () => {
  writeFileSync(join(folder, 'sites.yaml'), 'networks: { sites: { file: sites.csv } }\n')
  writeFileSync(join(folder, 'sites.csv'), CSV)
  for (const [name, when] of Object.entries(RULES)) {
    const text = `policy: ${name}\nrules:\n  - { name: looked, when: { ${when} }, deny: {} }\n  - { name: rest, allow: {} }\n`
    writeFileSync(join(folder, `${name}.yaml`), text)
  }
  const migrations = [...auditMigrations, ...sessionsMigrations, ...accessMigrations]
  storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  const audit = createAudit({ storage, clock, log: silentLog })
  const defaults = { idle: 7_200_000, max: 43_200_000 }
  const sessions = openSessions({ storage, clock, log: silentLog, audit, defaults })
  const watched = watchedState(storage.state)
  calls = watched.calls
  history = openHistory({ state: watched.state, clock })
  access = openAccess({
    storage,
    keys: { derive: () => Buffer.alloc(32, 7) },
    clock,
    log: silentLog,
    people: { ...NO_OUTAGES, byId: async () => undefined },
    sessions,
    devices: openDevices({ storage, clock, audit }),
    policies: await openLivePolicies({ folder, log: silentLog }),
    places,
    history,
  })
})
beforeEach(() => {
  time.now += minutes(60 * 24)
  asked.length = 0
  Object.assign(calls, { reads: 0, writes: 0 })
})
afterAll(async () => {
  await storage.close()
  rmSync(folder, { recursive: true })
})

let people = 0
const person = (): Person =>
  ({
    id: `p${++people}`,
    username: 'sam',
    directory: 'staff',
    groups: ['staff'],
    attributes: {},
    disabled: false,
  }) as never

function question(policy: string, more: Partial<Question> = {}): Question {
  const authenticated = [{ factor: 'password', at: time.now, amr: [] }]
  const session = { id: 's', personId: 'p', startedAt: time.now, authenticated, userAgent: 'Linux; Android 16' }
  return {
    kind: 'app',
    app: { id: 'crm', policy, tags: [], audience: ['*'] } as unknown as App,
    session: session as unknown as Session,
    address: '203.0.113.9',
    startedAt: time.now,
    opens: true,
    person: person(),
    ...more,
  }
}

/** Signs in again and again, with nothing else around. */
async function cost(policy: string, more: Partial<Question> = {}) {
  await access.ask(question(policy, more))
  return { ...calls, places: asked.length }
}

describe('a decision costs', () => {
  // another policy in force counts openings: that is one row read and written, by whoever opens
  const opening = { reads: 1, writes: 1 }

  test.each([
    ['plain', { reads: 0, writes: 0, places: 0 }],
    ['place', { reads: 0, writes: 0, places: 1 }],
    ['journey', { reads: 1, writes: 0, places: 1 }],
    ['country', { reads: 1, writes: 0, places: 1 }],
    ['absent', { reads: 1, writes: 0, places: 0 }],
    ['often', { reads: 1, writes: 0, places: 0 }],
    ['opens', { reads: 1, writes: 0, places: 0 }],
    ['all', { reads: 2, writes: 0, places: 1 }],
    ['vouched', { reads: 0, writes: 0, places: 0 }],
    ['platform', { reads: 0, writes: 0, places: 0 }],
    ['nowhere', { reads: 0, writes: 0, places: 0 }],
  ])('under the policy %s: %j', async (policy, expected) => {
    expect(await cost(policy, { opens: false })).toEqual(expected)
  })

  test('one row more where it opens an app and a rule counts that, and nothing for a stranger', async () => {
    expect(await cost('plain')).toEqual({ ...opening, places: 0 })
    Object.assign(calls, { reads: 0, writes: 0 })
    expect(await cost('all', { person: undefined as never, session: undefined })).toEqual({
      reads: 0,
      writes: 0,
      places: 1,
    })
  })

  test('no look into the database where the file of sites says it all', async () => {
    expect((await cost('place', { address: '10.1.2.3' })).places).toBe(0)
    expect((await cost('place', { address: '::ffff:10.1.2.3' })).places).toBe(0)
    expect((await cost('place', { address: '172.16.1.1' })).places).toBe(1)
  })
})

describe('the facts', () => {
  const factsOf = async (policy: string, more: Partial<Question> = {}) =>
    (await access.preview(question(policy, more))).facts

  test('hold nothing that the policy does not look at', async () => {
    const facts = await factsOf('plain')
    expect(facts.network).toEqual({ ip: '203.0.113.9' })
    expect(facts).not.toHaveProperty('history')
    expect(facts.device).not.toHaveProperty('platform')
    expect(facts.session).not.toHaveProperty('upstream')
  })

  test('hold the place as the file of sites and the database know it, part by part', async () => {
    const network = async (address: string) => (await factsOf('place', { address })).network
    expect(await network('203.0.113.9')).toEqual({ ip: '203.0.113.9', country: 'DE', latitude: 50.11, longitude: 8.68 })
    expect(await network('10.1.2.3')).toEqual({ ip: '10.1.2.3', country: 'NL', latitude: 52.09, longitude: 5.12 })
    expect(await network('172.16.1.1')).toEqual({ ip: '172.16.1.1', country: 'BE' })
    expect(await network('192.0.2.1')).toEqual({ ip: '192.0.2.1' })
  })

  test('hold the platform of the browser that signed in, and that nobody else vouches', async () => {
    expect((await factsOf('platform')).device).toMatchObject({ platform: 'android' })
    expect((await factsOf('vouched')).session).toMatchObject({ upstream: null })
  })

  test('hold the sign-in before with its place as it is known today', async () => {
    const sam = person()
    expect((await factsOf('all', { person: sam })).history).toEqual({
      previous: null,
      failures: [{ within: '5m', count: 0 }],
    })
    await history.signedIn(sam.id, { address: '10.1.2.3', judged: judgedBy(true) })
    const at = time.now
    expect((await factsOf('absent', { person: sam })).history).toEqual({ previous: { at } })
    const located = { at, country: 'NL', latitude: 52.09, longitude: 5.12 }
    expect((await factsOf('journey', { person: sam })).history).toEqual({ previous: located })
    expect((await factsOf('country', { person: sam })).history).toEqual({
      previous: located,
      countries: [{ country: 'NL', at }],
    })
    time.now += 1
    await history.signedIn(sam.id, { address: '203.0.113.9', judged: judgedBy(false) })
    expect((await factsOf('journey', { person: sam })).history).toEqual({
      previous: [{ at: at + 1, country: 'DE', latitude: 50.11, longitude: 8.68 }, located],
    })
    expect((await factsOf('absent', { person: sam })).history).toEqual({ previous: { at: at + 1 } })
    expect((await factsOf('country', { person: sam })).history?.countries).toEqual([{ country: 'NL', at }])
  })

  test('come with what was looked for, found or not, and the receipt keeps that', async () => {
    const gathered = async (policy: string) => {
      const { reference } = await access.ask(question(policy))
      return (await access.receipts.find(reference!))!.gathered
    }
    expect(await gathered('plain')).toEqual([])
    expect(await gathered('place')).toEqual(['place'])
    expect(await gathered('journey')).toEqual(['travel', 'place', 'absence'])
    expect(await gathered('often')).toEqual(['sign_ins', 'prompts'])
    expect(await gathered('platform')).toEqual(['platform'])
  })

  test('leave out what cannot be read: unknown, never none, so the rule is judged both ways', async () => {
    const sam = person()
    expect((await access.preview(question('absent', { person: sam }))).outcome).toBe('deny')
    await history.signedIn(sam.id, { address: '10.1.2.3', judged: judgedBy(true) })
    expect((await access.preview(question('absent', { person: sam }))).outcome).toBe('allow')
    for (const key of ['history-past', 'history-counts']) await storage.state.set(`${key}:${sam.id}`, '{"half":')
    for (const policy of ['journey', 'country', 'absent', 'often']) {
      const { facts, outcome, decision } = await access.preview(question(policy, { person: sam }))
      expect([facts.history, outcome], policy).toEqual([undefined, 'deny'])
      expect(decision.trace[0]!.matched).toBe('unknown')
    }
  })
})
