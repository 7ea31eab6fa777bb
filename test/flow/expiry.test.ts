/** A session that merely expires: apps of every kind hear of that within a minute, by the clockwork of the server alone. */
import { setImmediate as others } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { minutes, seconds } from '#core/clock'
import { anApp, movableClock } from '../abuse/people.ts'
import { createVisitor, app as proxied, WIKI } from '../forward-auth/house.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { redirectTo, requestXml, xmlOf } from '../support/saml-app.ts'
import { type SamlSoapApp, startSamlSoapApp } from '../support/saml-soap-app.ts'

/** Where nobody is: browsers of tests stop there. */
const RETURN = 'https://told.example/cb'

const clock = movableClock()
let gateway: Gateway
let told: ListeningApp
let saml: SamlSoapApp

beforeAll(async () => {
  told = await startListeningApp(() => gateway.issuer)
  saml = await startSamlSoapApp(() => gateway.issuer, clock)
  // the server's own timers go by the test's time; nothing else does
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const oidc = { redirect_uris: [CALLBACK, RETURN], scopes: ['openid'], backchannel_logout_uri: `${told.origin}/out` }
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    settings: { proxies: ['127.0.0.1'], sessions: { idle: '5m', max: '1h' } },
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      anApp('told', 'plain', { oidc: { ...oidc, pkce: 'optional' } }),
      proxied('wiki'),
      {
        ...{ id: 'saml', name: 'saml', policy: 'plain', audience: ['staff'] },
        saml: saml.saml,
      },
    ] as never,
  })
})
afterAll(async () => {
  vi.useRealTimers()
  await gateway?.close()
  await told?.close()
  await saml?.close()
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

test('one sign-in opens an OIDC, a SAML and a proxied app; when nobody touches it any more all three hear of its end', async () => {
  const { sessions, outbox } = gateway.server.house
  clock.at += minutes(10)
  const visitor = createVisitor(gateway)
  expect((await visitor.open(`${WIKI}/`)).status).toBe(200)
  const query = { client_id: 'told', response_type: 'code', scope: 'openid', redirect_uri: RETURN, state: 'x' }
  const opened = await visitor.browser.open(`${gateway.issuer}/oauth2/auth?${new URLSearchParams(query)}`)
  expect(opened.url.searchParams.get('code')).toBeTruthy()
  const request = requestXml(gateway.issuer, { at: clock.now() })
  const signed = xmlOf(await visitor.browser.open(redirectTo(`${gateway.issuer}/saml/sso`, request)))
  const [session] = await sessions.ofPerson(gateway.ids.get('sam')!)
  const sid = session!.apps.find(({ app }) => app === 'told')!.sid
  const index = /SessionIndex="([^"]*)"/.exec(signed)![1]!

  await pass(session!.idleEndsAt - clock.at - seconds(2))
  const heard = () => told.heard.filter(({ claims }) => claims['sid'] === sid)
  expect([heard().length, saml.heard.length]).toEqual([0, 0])
  await pass(seconds(4))
  // a proxy asks about each request, and is told at once
  expect((await visitor.visit(`${WIKI}/`)).status).toBe(302)
  await pass(seconds(56))
  await expect.poll(() => [heard().length, saml.heard.length]).toEqual([1, 1])
  expect(saml.heard[0]).toContain(`<samlp:SessionIndex>${index}</samlp:SessionIndex>`)
  await expect.poll(() => outbox.pending()).toBe(0)
})
