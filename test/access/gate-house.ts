/** A gate with everything behind it that a decision may look at, and random questions to put to it. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Access, accessMigrations, openAccess, openLivePolicies, type Question } from '#access'
import { auditMigrations, createAudit } from '#audit'
import type { App } from '#catalog'
import { type History, openHistory, openPlaces } from '#context'
import { days, hours, minutes } from '#core/clock'
import { silentLog } from '#core/log'
import type { Person } from '#directory'
import { COUNTERS } from '#policy'
import { openDevices, openSessions, type Session, type Sessions, sessionsMigrations } from '#sessions'
import { openStorage } from '#storage'
import { city, writeMmdb } from '../support/mmdb.ts'
import { emptyStorageUrl } from '../support/storage.ts'
import { NO_OUTAGES } from './rooms.ts'

const SHIPPED = join(import.meta.dirname, '../../policies')
/** Looks at everything that has to be gathered. */
const ADAPTIVE = `policy: adaptive
rules:
  - name: closed in the north
    when: { country: [NO], not: { network: [stores] } }
    deny: { say: Not from here. }
  - name: impossible journey
    when: { any: [{ travel.speed: { over: 900 } }, { travel.distance: { over: 9000 } }] }
    allow: { strength: phishing-resistant, within: 0s }
  - name: new country
    when: { travel.new_country: { over: 90d } }
    allow: { strength: two-factors, within: 10m }
  - name: unusually often
    when:
      any:
        - frequency.sign_ins: { over: 3, within: 5m }
        - frequency.failures: { over: 3, within: 1h }
        - frequency.app_opens: { over: 3, within: 10m }
        - frequency.prompts: { over: 3, within: 10m }
    allow: { strength: two-factors, within: 1h }
  - name: not seen for long
    when: { frequency.absent: { over: 30d } }
    allow: { strength: two-factors }
  - name: vouched for
    when: { upstream.assurance: two-factors }
    allow: { strength: any }
  - name: at home
    when: { network: [home], time: { between: '08:00-18:00', zone: site } }
    allow: { strength: any, session: { max: 8h } }
  - name: shared tablet
    when: { device.enrolled: true, device.kind: shared, device.site: ['0412'] }
    allow: { strength: any, session: { max: 10h } }
  - name: by telephone
    when: { device.platform: [android, ios] }
    allow: { strength: any, within: 8h, scopes: [orders:read], token: { max: 10m } }
  - name: everybody else
    allow: { strength: any, within: 1h, scopes: [orders:read, orders:write], token: { max: 5m } }
`
const NETWORKS = `networks:
  home: { countries: [NL, BE] }
  abroad: { file: networks/abroad.csv }
`
const ABROAD = `cidr,site,latitude,longitude,country,zone
10.9.0.0/16,lisbon-1,38.72,-9.14,PT,Europe/Lisbon
10.8.0.0/16,utrecht-3,52.09,5.12,NL,Europe/Amsterdam
`
const DATABASE = writeMmdb([
  { network: '203.0.113.0/25', data: city('NL', 52.37, 4.9) },
  { network: '203.0.113.128/25', data: city('BE', 51.05, 3.72) },
  { network: '198.18.1.0/24', data: city('US', 40.71, -74.01) },
  { network: '198.18.2.0/24', data: city('NO') },
  { network: '2001:db8:44::/48', data: city('AU', -33.87, 151.21) },
])
const ADDRESSES = [
  ...['127.0.0.1', '192.0.2.7', '198.51.100.10', '198.51.100.200', '2001:db8::1', '0.0.0.0'],
  ...['203.0.113.9', '203.0.113.200', '198.18.1.1', '198.18.2.1', '2001:db8:44::1', '10.9.1.1', '10.8.1.1', '10.7.0.1'],
]
const PEOPLE = 40
const NOW = Date.parse('2026-11-23T09:00:00Z')
export const clock = { now: () => NOW }

/** Some people are new, others signed in from here and there, or tried often. */
async function livedThrough(history: History, time: { now: number }): Promise<void> {
  const keep = new Map(COUNTERS.map((counter) => [counter, hours(2)] as const))
  const when = [days(100), days(40), hours(8), minutes(50), minutes(4)]
  for (let i = 0; i < PEOPLE; i++) {
    for (const [n, ago] of when.entries()) {
      time.now = NOW - ago
      const address = ADDRESSES[(i * 5 + n * 3) % ADDRESSES.length]!
      const country = ['NL', 'US', undefined][(i + n) % 3]
      const judged = [{ policy: 'journeys', content: n % 2 === 0, country }]
      if ((i * 7 + n) % 8 < 2) await history.signedIn(`p-${i}`, { address, judged })
      for (let times = (i * 11 + n * 5) % 6; times > 0; times--)
        await history.count(`p-${i}`, COUNTERS[(i + n) % COUNTERS.length]!, keep)
    }
  }
  time.now = NOW
}

export interface Gate {
  readonly access: Access
  readonly sessions: Sessions
  /** A folder of one's own; the policies in force are in `policies` below it. */
  readonly folder: string
  readonly policies: string
  close(): Promise<void>
}

/** The shipped policies and one that looks at everything, a database of places, and people with a past. */
export async function openGate(): Promise<Gate> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-gate-'))
  const policies = join(folder, 'policies')
  cpSync(SHIPPED, policies, { recursive: true })
  writeFileSync(join(policies, 'adaptive.yaml'), ADAPTIVE)
  writeFileSync(join(policies, 'home.yaml'), NETWORKS)
  writeFileSync(join(policies, 'networks/abroad.csv'), ABROAD)
  writeFileSync(join(folder, 'places.mmdb'), DATABASE)
  const storage = await openStorage({
    url: await emptyStorageUrl(),
    clock,
    log: silentLog,
    migrations: [...auditMigrations, ...sessionsMigrations, ...accessMigrations],
  })
  const audit = createAudit({ storage, clock, log: silentLog })
  const sessions = openSessions({
    storage,
    clock,
    log: silentLog,
    audit,
    defaults: { idle: 7_200_000, max: 43_200_000 },
  })
  const time = { now: NOW }
  const history = openHistory({ state: storage.state, clock: { now: () => time.now } })
  await livedThrough(history, time)
  const live = await openLivePolicies({ folder: policies, log: silentLog })
  const access = openAccess({
    storage,
    keys: { derive: () => Buffer.alloc(32, 7) },
    clock,
    log: silentLog,
    people: { ...NO_OUTAGES, byId: async () => undefined },
    sessions,
    devices: openDevices({ storage, clock, audit }),
    policies: live,
    places: openPlaces({ file: join(folder, 'places.mmdb'), log: silentLog }),
    history,
  })
  return {
    access,
    sessions,
    folder,
    policies,
    async close() {
      live.close()
      await storage.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const group = fc.constantFrom('staff', 'store', 'care', 'head-office', 'partners', 'administrators')
const person: fc.Arbitrary<Person> = fc.record({
  id: fc.nat(PEOPLE - 1).map((i) => `p-${i}`),
  username: fc.constantFrom('sam', 'lena'),
  directory: fc.constantFrom('staff', 'partners'),
  name: fc.constant('Sam'),
  mailVerified: fc.constant(false),
  groups: fc.option(fc.uniqueArray(group, { maxLength: 4 }), { nil: undefined }),
  organisation: fc.constantFrom('retail', 'retail/nl', 'care'),
  attributes: fc.constant({}),
  disabled: fc.boolean(),
  createdAt: fc.constant(0),
}) as fc.Arbitrary<Person>
const app: fc.Arbitrary<App> = fc.record({
  id: fc.constantFrom('crm', 'sim-swap'),
  name: fc.constant('App'),
  policy: fc.oneof(
    { weight: 2, arbitrary: fc.constant('adaptive') },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        ...['store-apps', 'head-office', 'partners', 'administrators', 'account', 'default', 'nowhere'],
      ),
    },
  ),
  audience: fc.constantFrom(['*'], ['staff'], ['care', 'store']),
  tags: fc.uniqueArray(fc.constantFrom('store', 'high-risk', 'partner', 'machine')),
  tier: fc.constant('standard'),
}) as unknown as fc.Arbitrary<App>
const proof = fc
  .tuple(
    fc.constantFrom('password', 'passkey', 'totp', 'recovery-code'),
    fc.integer({ min: 0, max: 40_000_000 }),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([factor, age, userVerified, hardware]) => ({
    factor,
    at: NOW - age,
    amr: [],
    ...(factor === 'passkey' ? { userVerified, hardware } : {}),
  }))
const session = fc
  .uniqueArray(proof, { selector: ({ factor }) => factor, minLength: 1, maxLength: 3 })
  .chain((authenticated) =>
    fc.constantFrom('X11; Linux x86_64', 'Linux; Android 16', undefined).map((userAgent) => {
      const session = { id: 's', personId: 'p-1', startedAt: NOW - 40_000_000, authenticated }
      return { ...session, ...(userAgent ? { userAgent } : {}) } as unknown as Session
    }),
  )
const ENROLLED = [{ kind: 'shared', site: '0412' }, { kind: 'shared', site: 'lisbon-1' }, { kind: 'personal' }].map(
  (one, n) => ({ ...one, id: `e-${n}`, name: 'x', enrolledAt: 0, enrolledBy: 'cli', lastSeenAt: 0 }),
)
/** Whatever a door may ask. */
export const question: fc.Arbitrary<Question> = fc
  .record({
    kind: fc.constantFrom('sign-in', 'app', 'api', 'admin', 'account', 'helpdesk'),
    app,
    person: fc.option(person, { nil: undefined }),
    session: fc.option(session, { nil: undefined }),
    device: fc.option(
      fc.record({
        id: fc.constant('d'),
        label: fc.constant(''),
        createdAt: fc.constant(0),
        lastSeenAt: fc.constant(0),
      }),
      { nil: undefined },
    ),
    enrolled: fc.constantFrom(undefined, null, ...ENROLLED),
    address: fc.constantFrom(...ADDRESSES),
    startedAt: fc.integer({ min: NOW - 60_000, max: NOW }),
    wanted: fc.option(
      fc.record(
        {
          strength: fc.uniqueArray(fc.constantFrom('any', 'two-factors', 'phishing-resistant', 'made-up')),
          max_age: fc.integer({ min: 0, max: 7200 }),
          fresh: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      { nil: undefined },
    ),
    client: fc.option(fc.constant({ id: 'northwind', authentication: 'private_key_jwt' }), { nil: undefined }),
  })
  .map(
    ({ wanted, client, ...rest }) =>
      ({ ...rest, ...(wanted ? { wanted } : {}), ...(client && rest.kind === 'api' ? { client } : {}) }) as Question,
  )
