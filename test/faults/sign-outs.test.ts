/** Sign-outs and a process that dies: what was answered is told, and so is what ended while nothing ran. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { hours, minutes } from '#core/clock'
import { formOf } from '../../demo/browser.ts'
import { anApp, browserAt } from '../abuse/people.ts'
import { type Clocked, startClocked } from '../support/clocked.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'
import { redirectTo, requestXml, xmlOf } from '../support/saml-app.ts'
import { type SamlSoapApp, startSamlSoapApp } from '../support/saml-soap-app.ts'
import { MAIN, makePlace, type Place } from '../support/serve.ts'

const run = promisify(execFile)
let place: Place
let server: Clocked
let told: ListeningApp
let saml: SamlSoapApp

beforeAll(async () => {
  told = await startListeningApp(() => place.issuer)
  saml = await startSamlSoapApp(() => place.issuer, { now: () => server.now() })
  const oidc = {
    redirect_uris: [CALLBACK],
    scopes: ['openid'],
    pkce: 'optional',
    backchannel_logout_uri: `${told.origin}/out`,
  }
  place = await makePlace({
    people: ['sam', 'kim', 'lou', 'ann'].map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [
      anApp('told', 'plain', { oidc }),
      { id: 'saml', name: 'saml', policy: 'plain', audience: ['staff'], saml: saml.saml },
    ] as never,
    settings: { outbound: { allow: ['127.0.0.0/8', '::1'] }, log: { level: 'error' } },
  })
  server = await startClocked(place.config, Date.now())
})
beforeEach(() => {
  told.heard.length = 0
  told.answer = 200
  saml.heard.length = 0
  saml.answers = true
})
afterAll(async () => {
  await server?.stop()
  await place?.remove()
  await told?.close()
  await saml?.close()
})

async function signedIn(username: string) {
  const browser = browserAt()
  const query = new URLSearchParams({
    client_id: 'told',
    response_type: 'code',
    scope: 'openid',
    redirect_uri: CALLBACK,
    state: 'x',
  })
  await typePassword(browser, await browser.open(`${place.issuer}/oauth2/auth?${query}`), username)
  return browser
}
const heardOf = (username: string) => told.heard.filter(({ claims }) => claims.sub === place.ids.get(username))
async function tickUntilHeard(username: string, times: number): Promise<void> {
  await expect
    .poll(async () => {
      await server.tick()
      return heardOf(username).length
    })
    .toBe(times)
}

test('a sign-out that was answered is told after a kill -9 while it was on its way', async () => {
  const browser = await signedIn('sam')
  // the app takes it and never answers: the process dies holding the row
  told.answer = undefined
  const page = await browser.open(`${place.issuer}/signout`)
  const done = await browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })
  expect(done.status).toBe(200)
  expect(heardOf('sam')).toHaveLength(1)
  await server.kill()
  told.answer = 200
  // somebody else may hold it for two minutes
  await server.start(server.now() + minutes(3))
  await tickUntilHeard('sam', 2)
  const [first, second] = heardOf('sam')
  expect(second!.claims['sid']).toBe(first!.claims['sid'])
  expect(second!.claims.jti).not.toBe(first!.claims.jti)
})

test('so is one of a SAML app: the same name and session, and another request', async () => {
  const browser = await signedIn('ann')
  const xml = xmlOf(
    await browser.open(redirectTo(`${place.issuer}/saml/sso`, requestXml(place.issuer, { at: server.now() }))),
  )
  const [nameId, index] = [/<saml:NameID[^>]*>([^<]*)/, /SessionIndex="([^"]*)"/].map((one) => one.exec(xml)![1]!)
  told.answer = undefined
  saml.answers = false
  const page = await browser.open(`${place.issuer}/signout`)
  expect((await browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })).status).toBe(200)
  expect([heardOf('ann').length, saml.heard.length]).toEqual([1, 1])
  await server.kill()
  told.answer = 200
  saml.answers = true
  await server.start(server.now() + minutes(3))
  await tickUntilHeard('ann', 2)
  await expect.poll(() => server.tick().then(() => saml.heard.length)).toBe(2)
  for (const request of saml.heard) {
    expect(request).toContain(`>${nameId}</saml:NameID>`)
    expect(request).toContain(`<samlp:SessionIndex>${index}</samlp:SessionIndex>`)
  }
  const [first, second] = saml.heard.map((request) => / ID="([^"]*)"/.exec(request)![1])
  expect(second).not.toBe(first)
  // it has answered: nobody tells it again
  await server.pass(hours(1), minutes(20))
  expect(saml.heard).toHaveLength(2)
})

test('sessions that an administrator ends while nothing runs are told after the start', async () => {
  await signedIn('kim')
  await server.kill()
  await run(process.execPath, [MAIN, 'sessions', 'end', '--user', 'kim', '--config', place.config])
  expect(heardOf('kim')).toEqual([])
  await server.start(Math.max(server.now(), Date.now()) + 1)
  await tickUntilHeard('kim', 1)
  expect(heardOf('kim')[0]!.claims['sid']).toBeUndefined()
})

test('a session that expired while nothing ran is told after the start', async () => {
  await signedIn('lou')
  await server.kill()
  await server.start(server.now() + hours(14))
  await tickUntilHeard('lou', 1)
  expect(heardOf('lou')[0]!.claims['sid']).toEqual(expect.any(String))
})
