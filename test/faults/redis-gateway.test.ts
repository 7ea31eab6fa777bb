/** What people and probes see of a gateway whose Redis goes away, and of what no failure of it may undo. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formOf } from '../../demo/browser.ts'
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
    people: ['sam', 'lee', 'kim'].map((username) => ({
      username,
      name: username,
      groups: ['staff'],
      password: PASSWORD,
    })),
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

test('with Redis full nobody is let in and nobody is signed out unasked; who shall be out is, and stays so with room again', async () => {
  const [mine, theirs, others] = [browserAt(), browserAt(), browserAt()]
  for (const [browser, who] of [
    [mine, 'lee'],
    [theirs, 'lee'],
    [others, 'kim'],
  ] as const)
    await typePassword(browser, await browser.open(appAddress(gateway, 'wiki')), who)
  const { sessions, people } = gateway.server.house
  const cookieOf = ({ jar }: typeof mine) => jar.get('portico-session')
  const lives = async () =>
    Promise.all([mine, theirs, others].map(async (who) => (await sessions.find(cookieOf(who))) !== undefined))
  const dead = [cookieOf(mine), cookieOf(theirs)]
  await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
  try {
    for (const who of [mine, browserAt()]) expect((await who.open(appAddress(gateway, 'wiki'))).status).toBe(503)
    expect(await lives()).toEqual([true, true, true])
    // by a click
    const page = await mine.submit(formOf(await mine.open(`${gateway.issuer}/signout`), 'sign-out'), {
      answer: 'allow',
    })
    expect(page.status).toBe(200)
    expect(await sessions.find(dead[0])).toBeUndefined()
    expect(await sessions.ofPerson(gateway.ids.get('lee')!)).toHaveLength(1)
    // by an administrator
    expect(await sessions.endAll(gateway.ids.get('lee')!, 'ended-by-administrator', 'test')).toBe(1)
    await people.disable(gateway.ids.get('kim')!, 'test')
    for (const cookie of [...dead, cookieOf(others)]) expect(await sessions.find(cookie)).toBeUndefined()
    expect((await sessions.left(dead[0]))?.session.apps).toHaveLength(1)
  } finally {
    await redis.ask('CONFIG', 'SET', 'maxmemory', '256mb')
  }
  expect(await sessions.sweep()).toBe(0)
  for (const cookie of [...dead, cookieOf(others)]) expect(await sessions.find(cookie)).toBeUndefined()
  expect((await theirs.open(appAddress(gateway, 'wiki'))).text).toContain('value="identifier"')
  const ended = await gateway.server.house.audit.search({ event: 'session-ended' })
  expect(ended.map(({ reason }) => reason).sort()).toEqual(['ended-by-administrator', 'person-disabled', 'signed-out'])
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
