/** What every way in which a session can end means for its apps and for what they were given: the table of docs/signing-in.md. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { minutes } from '#core/clock'
import type { Session } from '#sessions'
import { formOf, formsOf, type Page } from '../../demo/browser.ts'
import { anApp, appAddress, browserAt, giveTotp, movableClock, PROXIED, post } from '../abuse/people.ts'
import { createVisitor, app as proxied, type Visitor, WIKI } from '../forward-auth/house.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'
import { redirectTo, requestXml, xmlOf } from '../support/saml-app.ts'
import { type SamlSoapApp, startSamlSoapApp } from '../support/saml-soap-app.ts'
import { MAIN } from '../support/serve.ts'
import { totpCode } from '../support/totp.ts'

const clock = movableClock()
const run = promisify(execFile)
let gateway: Gateway
let told: ListeningApp
let saml: SamlSoapApp
let people = 0

beforeAll(async () => {
  told = await startListeningApp(() => gateway.issuer)
  saml = await startSamlSoapApp(() => gateway.issuer, clock)
  const app = (id: string, more: object = {}) =>
    anApp(id, 'plain', {
      oidc: {
        redirect_uris: [CALLBACK],
        scopes: ['openid', 'offline_access'],
        pkce: 'optional',
        grant_types: ['authorization_code', 'refresh_token'],
        backchannel_logout_uri: `${told.origin}/${id}`,
        ...more,
      },
    })
  gateway = await startGateway({
    clock,
    settings: PROXIED,
    policies: POLICIES,
    apps: [
      app('loose'),
      app('strict', { backchannel_logout_session_required: true }),
      app('two', {}),
      anApp('two-factors', 'strict'),
      proxied('wiki'),
      { id: 'saml', name: 'saml', policy: 'plain', audience: ['staff'], saml: saml.saml },
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  await told?.close()
  await saml?.close()
})

interface AtWork {
  readonly id: string
  readonly username: string
  readonly browser: Browser
  readonly session: Session
  readonly idToken: string
  /** Refresh tokens: one that belongs to the session, and one that was asked for to outlive it. */
  readonly bound: string
  readonly offline: string
  /** At the proxied app, and what the SAML app knows of the session. */
  readonly visitor: Visitor
  readonly nameId: string
  readonly index: string
}

const token = async (app: string, fields: Record<string, string>) => {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${gateway.secrets.get(app)}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: response.status, json: (await response.json()) as Record<string, string> }
}
async function tokensOf(browser: Browser, app: string, scope: string) {
  // OIDC Core §11: to outlive the session is agreed to
  const agreed: Record<string, string> = scope.includes('offline_access') ? { prompt: 'consent' } : {}
  const page = await browser.open(appAddress(gateway, app, { scope, ...agreed }))
  const asked = formsOf(page).find(({ fields }) => fields.get('step') === 'consent')
  const { url } = asked ? await browser.submit(asked, { answer: 'allow' }) : page
  const code = url.searchParams.get('code')!
  return (await token(app, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK })).json
}
async function hire(): Promise<{ id: string; username: string }> {
  const username = `person${++people}`
  const { id } = await gateway.server.house.people.add(
    { username, name: username, groups: ['staff'], password: PASSWORD },
    'test',
  )
  return { id, username }
}
async function signedIn(username: string, browser: Browser = browserAt()): Promise<Browser> {
  await typePassword(browser, await browser.open(appAddress(gateway, 'loose')), username)
  return browser
}
async function atWork(prepare?: (browser: Browser) => Promise<void>): Promise<AtWork> {
  const { id, username } = await hire()
  const browser = browserAt()
  await prepare?.(browser)
  await signedIn(username, browser)
  const { refresh_token: bound, id_token: idToken } = await tokensOf(browser, 'loose', 'openid')
  const { refresh_token: offline } = await tokensOf(browser, 'strict', 'openid offline_access')
  const visitor = createVisitor(gateway, browser)
  expect((await visitor.open(`${WIKI}/`, username)).status).toBe(200)
  const request = requestXml(gateway.issuer, { at: clock.now() })
  const xml = xmlOf(await browser.open(redirectTo(`${gateway.issuer}/saml/sso`, request)))
  const [nameId, index] = [/<saml:NameID[^>]*>([^<]*)/, /SessionIndex="([^"]*)"/].map((one) => one.exec(xml)![1]!)
  const [session] = await gateway.server.house.sessions.ofPerson(id)
  const atApps = { visitor, nameId: nameId!, index: index! }
  return { ...atApps, id, username, browser, session: session!, idToken: idToken!, bound: bound!, offline: offline! }
}
async function cli(...words: string[]): Promise<void> {
  await run(process.execPath, [MAIN, ...words, '--config', join(gateway.folder, 'portico.yaml')])
  // it has written by the machine's time
  clock.at = Math.max(clock.at, Date.now())
}
const rooms = () => gateway.server.house
const changed = 'another lamp post in the rain'

/** Ends it; answers whether loose apps hear of a single session, and whether a token that was meant to outlive it does. */
const ENDS: readonly [
  how: string,
  end: (at: AtWork) => Promise<unknown>,
  expected: { sid: boolean; offline: boolean; prepare?: (browser: Browser) => Promise<void> },
][] = [
  [
    'signed out by a click',
    async ({ browser }) =>
      browser.submit(formOf(await browser.open(`${gateway.issuer}/signout`), 'sign-out'), { answer: 'allow' }),
    { sid: true, offline: true },
  ],
  [
    'signed out at an app',
    ({ browser, idToken }) => browser.open(`${gateway.issuer}/oauth2/session/end?id_token_hint=${idToken}`),
    { sid: true, offline: true },
  ],
  ['ended by an administrator', ({ session }) => cli('sessions', 'end', session.id), { sid: true, offline: true }],
  [
    'all of a person ended by an administrator',
    ({ username }) => cli('sessions', 'end', '--user', username),
    { sid: false, offline: false },
  ],
  ['all ended by an administrator', () => cli('sessions', 'end', '--all'), { sid: false, offline: false }],
  ['switched off', ({ id }) => rooms().people.disable(id, 'test'), { sid: false, offline: false }],
  ['removed', ({ id }) => rooms().people.remove(id, 'test'), { sid: false, offline: false }],
  [
    'given a new password by an administrator',
    ({ id }) => rooms().people.setPassword(id, changed, 'test'),
    { sid: false, offline: false },
  ],
  [
    'somebody’s own new password, set in another browser',
    async ({ username }) => {
      const other = await signedIn(username)
      const page = await other.open(`${gateway.issuer}/account/password`)
      await other.submit(formOf(page, 'change-password'), { current: PASSWORD, password: changed })
    },
    { sid: true, offline: false },
  ],
  [
    'a factor removed in another browser',
    async ({ id, username }) => {
      const secret = await giveTotp(gateway, id, clock.now())
      clock.at += 30_000
      const other = await signedIn(username)
      const remove = (page: Page) =>
        other.submit(formsOf(page).find(({ action }) => /\/factors\/[^/]+\/remove$/.test(action.pathname))!)
      const asked = await remove(await other.open(`${gateway.issuer}/account`))
      await remove(await other.submit(formOf(asked, 'totp'), { code: totpCode(secret, clock.now()) }))
    },
    { sid: true, offline: false },
  ],
  [
    'ended on the account page in another browser',
    async ({ username, session }) => {
      const other = await signedIn(username)
      await post(other, `${gateway.issuer}/account/sessions/${session.id}/end`, {})
    },
    { sid: true, offline: true },
  ],
  [
    'one of the others, ended on the account page',
    async ({ username }) => {
      const other = await signedIn(username)
      await post(other, `${gateway.issuer}/account/sessions/end-others`, {})
    },
    { sid: true, offline: true },
  ],
  [
    'everything ended on the account page in another browser',
    async ({ username }) => {
      const other = await signedIn(username)
      await post(other, `${gateway.issuer}/account/sessions/end-all`, {})
    },
    { sid: false, offline: false },
  ],
  [
    'somebody else signed in in the same browser',
    async ({ browser }) => {
      const { username } = await hire()
      const asked = await browser.open(appAddress(gateway, 'two-factors'))
      await typePassword(browser, await browser.open(`${asked.url.href}&somebody-else`), username)
    },
    { sid: true, offline: true },
  ],
  [
    'the enrolled device revoked',
    async () => {
      const enrolled = await rooms().devices.enrolled.list()
      await rooms().devices.enrolled.revoke(enrolled.at(-1)!.id, 'cli')
    },
    {
      sid: true,
      offline: false,
      async prepare(browser) {
        const { code } = await rooms().devices.enrolment.begin({ kind: 'shared', site: '0001', name: 'Till' }, 'cli')
        await browser.submit(formOf(await browser.open(`${gateway.issuer}/device/${code}`), 'enrol-device'))
      },
    },
  ],
  [
    'signed out at another provider',
    ({ session }) => rooms().sessions.end(session.id, 'upstream-signed-out', 'system'),
    { sid: true, offline: true },
  ],
  [
    'merged into somebody else',
    async ({ id }) => rooms().endings.become(id, (await hire()).id),
    { sid: true, offline: false },
  ],
  [
    'unused for too long',
    async () => {
      clock.at += minutes(121)
    },
    { sid: true, offline: true },
  ],
  [
    'over by its rule',
    async ({ session }) => {
      await rooms().sessions.limit(session, { max: minutes(5) })
      clock.at += minutes(6)
    },
    { sid: true, offline: true },
  ],
]

test.each(ENDS)('%s', async (_how, end, { sid, offline, prepare }) => {
  const at = await atWork(prepare)
  told.heard.length = 0
  saml.heard.length = 0
  expect((await at.visitor.visit(`${WIKI}/`)).status).toBe(200)
  await end(at)
  const mine = () => told.heard.filter(({ claims }) => claims.sub === at.id)
  await expect
    .poll(async () => {
      await gateway.server.tick()
      return mine().length
    })
    .toBeGreaterThanOrEqual(2)
  // an app has heard before its row is taken away
  await expect.poll(() => rooms().outbox.pending()).toBe(0)
  const known = (app: string) => at.session.apps.find((one) => one.app === app)!.sid
  const sids = (app: string) =>
    mine()
      .filter(({ path }) => path === `/${app}`)
      .map(({ claims }) => claims['sid'])
  const [loose, strict] = [known('loose'), (await ownSid(at)) ?? '']
  expect(sids('loose')).toEqual(sid ? [loose] : [undefined])
  // an app that needs it hears of each session by its own, also where all have ended
  expect(sids('strict')).toContain(strict)
  const refreshed = async (app: string, refresh_token: string) =>
    (await token(app, { grant_type: 'refresh_token', refresh_token })).status === 200
  expect({ bound: await refreshed('loose', at.bound), offline: await refreshed('strict', at.offline) }).toEqual({
    bound: false,
    offline,
  })
  const asked = saml.heard.filter((xml) => xml.includes(`>${at.nameId}</saml:NameID>`))
  expect(asked).toHaveLength(1)
  // that of a session is named where one has ended
  if (sid) expect(asked[0]).toContain(`<samlp:SessionIndex>${at.index}</samlp:SessionIndex>`)
  expect((await at.visitor.visit(`${WIKI}/`)).status).toBe(302)
})

const ownSid = async ({ session }: AtWork) => session.apps.find(({ app }) => app === 'strict')?.sid

test('all ended by an administrator: so are tokens of whoever has no session any more', async () => {
  const at = await atWork()
  await rooms().sessions.end(at.session.id, 'signed-out', 'test')
  const refresh = () => token('strict', { grant_type: 'refresh_token', refresh_token: at.offline })
  expect(await rooms().sessions.ofPerson(at.id)).toEqual([])
  const { status, json } = await refresh()
  expect(status).toBe(200)
  await cli('sessions', 'end', '--all')
  for (const refresh_token of [at.offline, json['refresh_token'] ?? at.offline])
    expect((await token('strict', { grant_type: 'refresh_token', refresh_token })).status).toBe(400)
  const [revoked] = await rooms().audit.search({ event: 'tokens-revoked', subject: at.id })
  expect(revoked).toMatchObject({ actor: 'system', count: 2 })
})

test('without an end both tokens work, so the table can fail', async () => {
  const at = await atWork()
  for (const [app, refresh_token] of [
    ['loose', at.bound],
    ['strict', at.offline],
  ] as const)
    expect((await token(app, { grant_type: 'refresh_token', refresh_token })).status).toBe(200)
})
