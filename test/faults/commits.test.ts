/** Commits that fail, writes that fail in the middle, bytes that are no text: what the requests around them then do. */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage, type Storage, together } from '#storage'
import { createBrowser } from '../../demo/browser.ts'
import { startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { sendRaw } from '../support/raw.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'
import { EMBEDDED, EMBEDDED_FILE } from '../support/storage.ts'

describe('a unit of work', () => {
  let storage: Storage
  beforeEach(async () => {
    storage = await openStorage({ url: EMBEDDED, clock: systemClock, log: silentLog, migrations: [] })
    // what is found wrong only at the COMMIT
    await sql`create table parents (id integer primary key)`.execute(storage.records)
    await sql`create table children (parent integer references parents (id) deferrable initially deferred)`.execute(
      storage.records,
    )
    await sql`create table names (name text unique)`.execute(storage.records)
  })
  afterEach(() => storage.close())
  const spoilCommit = () => sql`insert into children values (1)`.execute(storage.records)
  const takeName = (on = storage.records) => sql`insert into names values ('sam')`.execute(on)
  const names = async () => (await sql`select name from names`.execute(storage.records)).rows.length

  test('whose commit failed begins no transaction either', async () => {
    const unit = together(async () => {
      await storage.state.set('spent', '')
      await spoilCommit()
      await storage.records.transaction().execute((transaction) => takeName(transaction))
    })
    await expect(unit).rejects.toThrow()
    expect(await storage.state.get('spent')).toBeUndefined()
    expect(await names()).toBe(0)
  })

  test('that was refused because of what another one wrote falls with it', async () => {
    const first = together(async () => {
      await takeName()
      await spoilCommit()
    })
    const second = together(async () => {
      await takeName().catch(() => {})
      return 'that name is taken'
    })
    const [one, other] = await Promise.allSettled([first, second])
    expect(one.status).toBe('rejected')
    expect(await names()).toBe(0)
    expect(other.status).toBe('rejected')
  })

  test('is told that a value is damaged, rather than to read it and try again for ever', async () => {
    await storage.state.set('damaged', 'value')
    await sql`update state set v = cast(x'76ff6c7565' as text) where k = 'damaged'`.execute(storage.records)
    const text = (await storage.state.get('damaged'))!
    for (const options of [undefined, { ttl: 1000 }, { ttl: 1000, alias: 'other' }])
      await expect(storage.state.compareAndSwap('damaged', text, 'new', options)).rejects.toMatchObject({
        code: 'storage-unavailable',
      })
  })
})

test('a code that cannot be exchanged for want of room leaves the process running', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const gateway = await startGateway({
    // its commits are what fails
    storage: EMBEDDED_FILE,
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      {
        ...{ id: 'web', name: 'Web', policy: 'plain', audience: ['staff'] },
        oidc: { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email'] },
      },
    ] as never,
  })
  const { state, records } = gateway.server.house.storage
  const pages = (count: number) => sql.raw(`pragma max_page_count = ${count}`).execute(records)
  const browser = createBrowser({ stopAt: CALLBACK })
  const party = await relyingParty(gateway, 'web')
  await signIn(browser, party, 'sam')
  const begun = await party.begin()
  const code = (await browser.open(begun.url.href)).url.searchParams.get('code')!

  await pages(1)
  let full = false
  for (let i = 0; i < 5000 && !full; i++)
    await state.set(`filler-${i}`, 'x'.repeat(300)).catch(() => {
      full = true
    })
  const answer = await sendRaw(Number(new URL(gateway.issuer).port), {
    method: 'POST',
    path: '/oauth2/token',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`web:${gateway.secrets.get('web')}`).toString('base64')}`,
    },
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', redirect_uri: CALLBACK },
      ...{ code, code_verifier: begun.verifier },
    }).toString(),
  })
  expect(full).toBe(true)
  expect(answer.status).toBe(503)
  // nobody caught it: Node ends the process
  expect(unhandled).toEqual([])
  await pages(100_000)
  await gateway.close()
})
