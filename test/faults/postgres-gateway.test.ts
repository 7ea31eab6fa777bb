/** What people, programs and probes see of a gateway whose PostgreSQL fails in one way or another, and that it goes on by itself. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anApp, appAddress, browserAt, movableClock, PROXIED } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { until } from '../support/redis.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'

let postgres: Postgres
let database: string
let gateway: Gateway
beforeAll(async () => {
  postgres = await startPostgres()
  database = await postgres.create()
  gateway = await startGateway({
    clock: movableClock(),
    storage: postgres.url(database),
    settings: PROXIED,
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'], password: PASSWORD }],
    apps: [anApp('wiki', 'plain'), { id: 'machine', template: 'machine', policy: 'plain' }] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  await postgres?.end()
})

const ready = async () => (await fetch(`http://127.0.0.1:${gateway.server.managementPort}/readyz`)).status
const token = () =>
  fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`machine:${gateway.secrets.get('machine')}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
const alter = async (what: string) => {
  await postgres.query(`alter database ${database} ${what}`)
  await postgres.hangUp(database)
}

/** `reads`: whether what only reads goes on meanwhile. */
const FAULTS: readonly (readonly [string, { begin(): Promise<void>; end(): Promise<void>; reads: boolean }])[] = [
  ['restarted', { begin: () => postgres.stop('SIGINT'), end: () => postgres.start(), reads: false }],
  ['killed with -9', { begin: () => postgres.stop('SIGKILL'), end: () => postgres.start(), reads: false }],
  [
    'read-only',
    {
      begin: () => alter('set default_transaction_read_only = on'),
      end: () => alter('set default_transaction_read_only = off'),
      reads: true,
    },
  ],
  [
    'without a connection left',
    { begin: () => alter('connection limit 0'), end: () => alter('connection limit -1'), reads: false },
  ],
]

test.each(FAULTS)(
  '%s: 503 for as long as it lasts, nobody is let in, and everybody goes on afterwards',
  async (_, { begin, end, reads }) => {
    const browser = browserAt()
    await typePassword(browser, await browser.open(appAddress(gateway, 'wiki')), 'sam')
    await begin()
    await until(token, ({ status }) => status === 503)
    for (const who of [browser, browserAt()]) {
      const page = await who.open(appAddress(gateway, 'wiki'))
      expect(page.status).toBe(503)
      expect(page.url.href).not.toContain('code=')
    }
    const page = await fetch(appAddress(gateway, 'wiki'), { redirect: 'manual' })
    expect(page.headers.get('retry-after')).toMatch(/^[1-9]/)
    const refused = await token()
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]/)
    expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' })
    expect(await ready()).toBe(reads ? 200 : 503)
    await end()
    await until(token, ({ status }) => status === 200)
    // without being asked for anything
    expect((await browser.open(appAddress(gateway, 'wiki'))).url.href).toMatch(`${CALLBACK}?code=`)
    expect(await ready()).toBe(200)
  },
)
