/** A disk that is full: nothing is answered as if it had happened, and with room again everything goes on. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { sendRaw } from '../support/raw.ts'
import { atCallback, CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'
import { EMBEDDED_FILE } from '../support/storage.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    // full is its file; what a full PostgreSQL and a full Redis do: `postgres.test.ts`, `redis.test.ts`
    storage: EMBEDDED_FILE,
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      {
        ...{ id: 'web', name: 'Web', policy: 'plain', audience: ['staff'] },
        oidc: { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email'] },
      },
      { id: 'machine', template: 'machine', policy: 'plain' },
    ] as never,
  })
})
afterAll(() => gateway.close())

const pages = (count: number) =>
  sql.raw(`pragma max_page_count = ${count}`).execute(gateway.server.house.storage.records)

test('with a full disk codes, tokens and pages are refused with 503, and with room again they are given', async () => {
  const browser = createBrowser({ stopAt: CALLBACK })
  const party = await relyingParty(gateway, 'web')
  await signIn(browser, party, 'sam')
  const port = Number(new URL(gateway.issuer).port)
  const machine = (scheme: string) =>
    sendRaw(port, {
      method: 'POST',
      path: '/oauth2/token',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `${scheme} ${Buffer.from(`machine:${gateway.secrets.get('machine')}`).toString('base64')}`,
      },
      body: 'grant_type=client_credentials',
    })
  const open = async () => browser.open((await party.begin()).url.href)

  await pages(1)
  // what is left on the last pages is used up first
  let full = await open()
  for (let i = 0; i < 200 && full.status !== 503; i++) full = await open()
  expect(full.status).toBe(503)
  expect(full.text).toContain('<h1')
  for (const scheme of ['Basic', 'basic']) {
    let refused = await machine(scheme)
    for (let i = 0; i < 200 && refused.status === 200; i++) refused = await machine(scheme)
    expect([500, 503]).toContain(refused.status)
    expect(refused.body).not.toContain('access_token')
    expect(['temporarily_unavailable', 'server_error']).toContain(JSON.parse(refused.body).error)
    expect(refused.headers['set-cookie']).toBeUndefined()
  }
  const stranger = await createBrowser({ stopAt: CALLBACK }).open((await party.begin()).url.href)
  expect([500, 503]).toContain(stranger.status)
  expect(atCallback(stranger)).toBe(false)

  await pages(100_000)
  expect(atCallback(await open())).toBe(true)
  for (const scheme of ['Basic', 'basic']) expect((await machine(scheme)).status).toBe(200)
  await signIn(createBrowser({ stopAt: CALLBACK }), party, 'sam')
})

test('while commits fail under it, no code is told that is not on the disk', async () => {
  const { storage } = gateway.server.house
  const party = await relyingParty(gateway, 'web')
  const browsers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const browser = createBrowser({ stopAt: CALLBACK })
      await signIn(browser, party, 'sam')
      return browser
    }),
  )
  const now = await sql<{ page_count: number }>`select page_count from pragma_page_count()`.execute(storage.records)
  // room for what the browsers need, none for what takes the whole group down with it
  await pages(now.rows[0]!.page_count + 500)
  const [told, withdrawn]: [string[], number[]] = [[], []]
  let over = false
  let failed = 0
  const sabotage = async () => {
    while (!over) {
      await storage.state.set('large', 'x'.repeat(4_000_000)).catch(() => failed++)
      // so much that both happen
      const rest = withdrawn.length > told.length ? 200 : 3
      for (let turn = 0; turn < rest; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const walk = async (browser: (typeof browsers)[number]) => {
    for (let i = 0; i < 500 && (told.length < 50 || withdrawn.length < 50 || failed < 20); i++) {
      const page = await browser.open((await party.begin()).url.href)
      const code = page.url.searchParams.get('code')
      if (code) told.push(code)
      else withdrawn.push(page.status)
    }
  }
  const saboteur = sabotage()
  await Promise.all(browsers.map(walk))
  over = true
  await saboteur
  await pages(100_000)
  expect(failed).toBeGreaterThan(10)
  expect(told.length).toBeGreaterThan(10)
  expect(withdrawn.length).toBeGreaterThan(10)
  for (const status of withdrawn) expect([500, 503]).toContain(status)
  for (const code of told) expect(await storage.state.get(`oidc:AuthorizationCode:${code}`), code).toBeDefined()
})
