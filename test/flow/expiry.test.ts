/** A session that merely expires: its apps hear of that within a minute, by the clockwork of the server alone. */
import { setImmediate as others } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { minutes, seconds } from '#core/clock'
import { anApp, movableClock } from '../abuse/people.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK } from '../support/relying-party.ts'

const clock = movableClock()
let gateway: Gateway
let told: ListeningApp

beforeAll(async () => {
  told = await startListeningApp(() => gateway.issuer)
  // the server's own timers go by the test's time; nothing else does
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const oidc = { redirect_uris: [CALLBACK], scopes: ['openid'], backchannel_logout_uri: `${told.origin}/out` }
  gateway = await startGateway({ clock, policies: POLICIES, apps: [anApp('told', 'plain', { oidc })] })
})
afterAll(async () => {
  vi.useRealTimers()
  await gateway?.close()
  await told?.close()
})

/** Time goes on, and whatever the clockwork begins in it goes its way. */
async function pass(length: number): Promise<void> {
  for (let passed = 0; passed < length; passed += seconds(2)) {
    clock.at += seconds(2)
    vi.advanceTimersByTime(seconds(2))
    for (let i = 0; i < 20; i++) await others()
  }
}

test.each([0, 1, 19_999, 20_001, 40_000, 59_999])('%d ms into a minute', async (offset) => {
  const { sessions, outbox } = gateway.server.house
  clock.at = Math.ceil(clock.at / minutes(1)) * minutes(1) + minutes(2) + offset
  const { session } = await sessions.start({
    personId: `p${offset}`,
    proofs: [],
    address: '192.0.2.1',
    limits: { max: minutes(5) },
  })
  await sessions.addApp(session, { app: 'told', sid: `s${offset}` })
  await pass(minutes(5) - seconds(2))
  expect(clock.at).toBe(session.endsAt - seconds(2))
  expect(told.heard.filter(({ claims }) => claims['sid'] === `s${offset}`)).toEqual([])
  await pass(minutes(1))
  // from here on the time stands still: what was begun within the minute comes to its end
  await expect.poll(() => told.heard.map(({ claims }) => claims['sid'])).toContain(`s${offset}`)
  await expect.poll(() => outbox.pending()).toBe(0)
  expect(Number(told.heard.at(-1)!.claims.iat)).toBeLessThanOrEqual(Math.floor(session.endsAt / 1000) + 60)
})
