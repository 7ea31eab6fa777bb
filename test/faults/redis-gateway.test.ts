/** What people and probes see of a gateway whose Redis goes away, and of what no failure of it may undo. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anApp, appAddress, browserAt, movableClock, PROXIED } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type RedisServer, startRedis, until } from '../support/redis.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'

let redis: RedisServer
let gateway: Gateway
beforeAll(async () => {
  redis = await startRedis()
  gateway = await startGateway({
    clock: movableClock(),
    settings: { ...PROXIED, state: { url: redis.url } },
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'], password: PASSWORD }],
    apps: [anApp('wiki', 'plain')],
  })
})
afterAll(async () => {
  await gateway?.close()
  await redis?.end()
})
const ready = async () => {
  const answer = await fetch(`http://127.0.0.1:${gateway.server.managementPort}/readyz`)
  return { status: answer.status, failing: ((await answer.json()) as { failing: string[] }).failing }
}

test('with Redis killed nobody is let in and nobody is signed out; afterwards everybody goes on where they were', async () => {
  const browser = browserAt()
  await typePassword(browser, await browser.open(appAddress(gateway, 'wiki')), 'sam')
  expect((await browser.open(appAddress(gateway, 'wiki'))).url.href).toMatch(`${CALLBACK}?code=`)
  expect(await ready()).toEqual({ status: 200, failing: [] })

  await redis.stop()
  for (const who of [browser, browserAt()]) {
    const page = await who.open(appAddress(gateway, 'wiki'))
    expect(page.status).toBe(503)
    expect(page.url.href).not.toContain('code=')
  }
  expect(await ready()).toEqual({ status: 503, failing: ['state'] })

  await redis.start()
  await until(ready, ({ status }) => status === 200)
  // without being asked for anything
  expect((await browser.open(appAddress(gateway, 'wiki'))).url.href).toMatch(`${CALLBACK}?code=`)
})

test('with everything in Redis gone people sign in again, and the link for the first administrator does not come back', async () => {
  await redis.ask('FLUSHALL')
  const browser = browserAt()
  const page = await browser.open(appAddress(gateway, 'wiki'))
  expect((await typePassword(browser, page, 'sam')).url.href).toMatch(`${CALLBACK}?code=`)
  const { durable, state } = gateway.server.house.storage
  expect(await durable.get('claim-made')).toBe('yes')
  expect(await state.get('claim-made')).toBeUndefined()
})
