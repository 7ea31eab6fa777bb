/**
 * A rolling upgrade: this version and the next one, which has one more migration, serve the same people at the same time. Each takes
 * what the other began; then the old one goes, and does not come back.
 */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { PASSWORD } from '../support/gateway.ts'
import { ask } from '../support/load.ts'
import { makeNextVersion, type NextVersion } from '../support/next-version.ts'
import { freePort } from '../support/ports.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { seeded } from '../support/seeded.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { APPS, createVisitors, people, type Visitors, whileVisited } from '../support/visitors.ts'

const PEOPLE = 6
/** What the documentation allows: the old version knows nothing of it, and goes on. */
const ALLOWED = `
  for (const table of ['people', 'apps', 'audit_events', 'receipts', 'state'])
    await records.schema.alterTable(table).addColumn('next_note', 'text').execute()
  await records.schema.alterTable('people').addColumn('next_count', 'integer', (c) => c.notNull().defaultTo(0)).execute()
  await records.schema.createTable('next_things').addColumn('id', 'text', (c) => c.primaryKey()).execute()
  await records.schema.createIndex('people_next_note').on('people').column('next_note').execute()
`

const { seed, random } = seeded()
let place: Place
let next: NextVersion
let old: Serving
let upgraded: Serving
let nextPort: number
/** Where requests go: one after the other. */
let ports: number[]
let turn = 0
let visitors: Visitors
let answered = 0

beforeAll(async () => {
  next = makeNextVersion(ALLOWED)
  place = await makePlace({ people: people(PEOPLE + 2), apps: APPS })
  nextPort = await freePort()
  old = await serve(place.config)
  ports = [place.port]
  visitors = createVisitors({
    ...{ place, random, people: PEOPLE },
    port: () => ports[turn++ % ports.length]!,
    answered: () => void answered++,
  })
})
afterAll(async () => {
  await Promise.all([old?.stop(), upgraded?.stop()])
  await place?.remove()
  next?.remove()
})

const startNext = async () => {
  const config = place.settings('next.yaml', { listen: `127.0.0.1:${nextPort}` })
  const serving = portico(['serve', '--config', config], { main: next.main })
  await serving.printed(/^ready /m)
  return serving
}
/** A browser of which each request goes to where `port` says just then. */
const browserAt = (where: { port: number }) => {
  const via = (url: URL, init: RequestInit) => {
    const to = new URL(url)
    to.port = String(where.port)
    return fetch(to, init)
  }
  return createBrowser({ stopAt: CALLBACK, fetch: via })
}

/** Everybody goes on while `work` is done; nobody may notice. */
async function underLoad(work: (more: (count: number) => Promise<void>) => Promise<unknown>): Promise<void> {
  expect(await whileVisited(visitors, () => answered, work), `seed ${seed}`).toEqual([])
}

test(`the next version starts and changes the database while this one serves, and no request fails (TEST_SEED=${seed})`, async () => {
  await underLoad(async () => {
    upgraded = await startNext()
  })
})

test.each([
  ['this', 'the next', 0],
  ['the next', 'this', 1],
])('a sign-on that began at %s version is finished at %s one, and so is what comes of it', async (_, _other, first) => {
  const at = [place.port, nextPort]
  const [here, there] = [at[first]!, at[1 - first]!]
  const where = { port: here }
  const browser = browserAt(where)
  const asked = await browser.open(visitors.address())
  where.port = there
  const named = await browser.submit(formOf(asked, 'identifier'), { username: `p${PEOPLE + first}` })
  where.port = here
  const code = (await browser.submit(formOf(named, 'password'), { password: PASSWORD })).url.searchParams.get('code')!
  ports = [there]
  const given = await visitors.post('/oauth2/token', 'web', visitors.withCode(code))
  expect(given.status).toBe(200)
  ports = [here]
  const renew = { grant_type: 'refresh_token', refresh_token: given.json['refresh_token']! }
  const renewed = await visitors.post('/oauth2/token', 'web', renew)
  expect(renewed.status).toBe(200)
  ports = [there]
  const active = async () =>
    (await visitors.post('/oauth2/introspection', 'web', { token: renewed.json['access_token']! })).json['active']
  expect(await active()).toBe(true)
  // spent there
  expect((await visitors.post('/oauth2/token', 'web', renew)).status).toBe(400)
  where.port = there
  const silent = await browser.open(visitors.address({ prompt: 'none' }))
  expect(silent.url.searchParams.get('code')).not.toBeNull()
  await browser.submit(formOf(await browser.open(`${place.issuer}/signout`), 'sign-out'), { answer: 'allow' })
  where.port = here
  const left = await browser.open(visitors.address({ prompt: 'none' }))
  expect(left.url.searchParams.get('error')).toBe('login_required')
})

test('both serve, then the old one stops: no request fails, and what either of them answered holds', async () => {
  await underLoad(async (more) => {
    ports = [place.port, nextPort]
    await more(1000)
    // nobody is sent there any more, as a load balancer does it for as long as `drain` says
    ports = [nextPort]
    await more(50)
    expect(await old.stop()).toBe(0)
  })
  await visitors.compare()
  await visitors.spendAll()
  expect(visitors.faults, `seed ${seed}`).toEqual([])
  expect(visitors.onces.filter(({ answers }) => answers > 1)).toEqual([])
  expect(visitors.sessions.filter(({ over }) => over === 'no').length).toBeGreaterThan(5)
})

test('this version does not start again, and its commands change nothing: it says why', async () => {
  for (const words of [['serve'], ['people', 'list'], ['migrate']]) {
    const run = portico([...words, '--config', place.config])
    expect(await run.exited, words.join(' ')).toBe(2)
    expect(run.err()).toContain(`the database was changed by a newer version of Portico (${next.migration})`)
  }
})

test('of several workers of this version, one that dies is not replaced; the others serve, and it is told in the log', async () => {
  const many = await makePlace({ settings: { workers: 2 }, apps: APPS })
  onTestFinished(() => many.remove())
  const serving = await serve(many.config)
  onTestFinished(() => void serving.stop())
  const migrated = portico(['migrate', '--config', many.config], { main: next.main })
  expect(await migrated.exited, migrated.err()).toBe(0)
  const [, first] = serving.out().match(/"worker-serving","number":1,"process":(\d+)/)!
  process.kill(Number(first), 'SIGKILL')
  await serving.printed(new RegExp(`"worker-refused","number":1,"detail":"[^"]*${next.migration}`))
  const authorization = `Basic ${btoa(`robot:${many.secrets.get('robot')}`)}`
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  for (let i = 0; i < 20; i++)
    expect(
      (await ask(many.port, { path: '/oauth2/token', body: 'grant_type=client_credentials', headers })).status,
    ).toBe(200)
})

test('the next version goes on', async () => {
  const page = await browserAt({ port: nextPort }).open(`${place.issuer}/account`)
  expect(formOf(page, 'identifier')).toBeDefined()
})
