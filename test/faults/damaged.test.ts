/** Flipped bytes in a row of state: what is no text any more belongs to nobody, and everybody else goes on. */
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { days, hours } from '#core/clock'
import { createBrowser } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'
import { EMBEDDED_FILE } from '../support/storage.ts'

let gateway: Gateway
let clock: ReturnType<typeof movableClock>
beforeEach(async () => {
  clock = movableClock()
  gateway = await startGateway({
    // PostgreSQL takes nothing that is no text
    storage: EMBEDDED_FILE,
    policies: POLICIES,
    clock,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      {
        ...{ id: 'web', name: 'Web', policy: 'plain', audience: ['staff'] },
        oidc: { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email'] },
      },
    ] as never,
  })
})
afterEach(() => gateway.close())

/** One byte inside of a text, so that the row is JSON as before; answers how many rows there were. */
async function damage(prefix: string, after: string): Promise<number> {
  const { records } = gateway.server.house.storage
  const { rows } = await sql<{ k: string; v: string }>`select k, v from state where k like ${`${prefix}%`}`.execute(
    records,
  )
  for (const { k, v } of rows) {
    const bytes = Buffer.from(v)
    bytes[bytes.indexOf(after) + after.length] = 0xff
    await sql`update state set v = cast(${bytes} as text) where k = ${k}`.execute(records)
  }
  return rows.length
}
const open = async (browser: ReturnType<typeof createBrowser>) =>
  browser.open((await (await relyingParty(gateway, 'web')).begin()).url.href)

test('a damaged session opens nothing, its browser may sign in again, and the clockwork goes on', async () => {
  const browser = createBrowser({ stopAt: CALLBACK })
  const party = await relyingParty(gateway, 'web')
  await signIn(browser, party, 'sam')
  expect(await damage('session:', '"userAgent":"')).toBe(1)
  clock.at += hours(1)
  expect(atCallback(await open(browser))).toBe(false)
  await signIn(browser, party, 'sam')
  clock.at += days(2)
  await gateway.server.tick()
})

test('a damaged past keeps nobody out, and is begun anew', async () => {
  const party = await relyingParty(gateway, 'web')
  await signIn(createBrowser({ stopAt: CALLBACK }), party, 'sam')
  expect(await damage('history-past:', '"address":"')).toBe(1)
  expect(await gateway.server.house.history.past(gateway.ids.get('sam')!)).toBe('unreadable')
  await signIn(createBrowser({ stopAt: CALLBACK }), party, 'sam')
  expect(await gateway.server.house.history.past(gateway.ids.get('sam')!)).toMatchObject({
    last: { address: '127.0.0.1' },
  })
})
