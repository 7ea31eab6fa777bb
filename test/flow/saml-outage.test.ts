/**
 * A SAML provider cannot be reached: only its metadata are seen from here, and that is enough for what is declared. A
 * provider of the tests behind a way that is cut, in time that the test moves on.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formOf, headingOf, type Page, passkeyOptions } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { type Authenticator, createAuthenticator } from '../support/authenticator.ts'
import { anApp, browserOf, goThere, PARTNER } from '../support/federation.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { samlAnswer } from '../support/lemonldap-pages.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, relyingParty } from '../support/relying-party.ts'
import { makeKeys, metadataOf, PROVIDER, posted, responseXml, signedAs } from '../support/saml-provider.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const MINUTE = 60_000
const clock = movableClock()
const keys = await makeKeys()
let way: TcpProxy
let gateway: Gateway
/** Who signs in there, in every browser that comes. */
let who = ''

const provider = createServer((request, response) => {
  const url = new URL(request.url!, `http://${way.host}:${way.port}`)
  if (url.pathname === '/metadata') {
    const text = metadataOf([keys.certificate])
    return void response.end(text.replace('https://idp.partner.example/sso?tenant=1', `${url.origin}/sso`))
  }
  const asked = inflateRawSync(Buffer.from(url.searchParams.get('SAMLRequest')!, 'base64')).toString()
  const acs = `${gateway.issuer}/signin/back/${PARTNER}`
  const base = { now: clock.now(), requestId: /\sID="([^"]+)"/.exec(asked)![1]!, acs, audience: `${acs}/metadata` }
  const xml = responseXml(base, { nameId: `${who}-for-ever`, attributes: { uid: [who], groups: ['repairs'] } })
  const answer = posted(signedAs(xml, ['Response'], keys))
  const state = url.searchParams.get('RelayState')!
  response.end(
    `<form action="${acs}" method="post"><input type="hidden" name="SAMLResponse" value="${answer}"><input type="hidden" name="RelayState" value="${state}"></form>`,
  )
})

beforeAll(async () => {
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  way = await startTcpProxy({ to: (provider.address() as AddressInfo).port })
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    apps: [
      { ...anApp('low'), tier: 'standard' },
      { ...anApp('high'), tier: 'critical' },
    ] as never,
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        {
          id: PARTNER,
          kind: 'saml',
          entity_id: PROVIDER,
          metadata_url: `http://${way.host}:${way.port}/metadata`,
          newcomers: 'create',
          groups: { map: { repairs: ['staff'] } },
          degraded: { tiers: ['standard'], for: '4h', ask_again: '15m' },
        },
      ],
    },
  })
})
afterAll(async () => {
  await gateway?.close()
  await way?.close()
  await new Promise((resolve) => provider.close(resolve))
})

const openApp = async (browser: Browser, app: string): Promise<Page> =>
  browser.open((await (await relyingParty(gateway, app)).begin()).url.href)
const state = () => gateway.server.house.people.states().find(({ id }) => id === PARTNER)!.state
const idOf = async (name: string) => (await gateway.server.house.people.find(`${name}@${PARTNER}`))!.id
const doubtful = async (name: string) =>
  (await gateway.server.house.sessions.ofPerson(await idOf(name))).filter(({ authenticated }) =>
    authenticated.some(({ duringOutage }) => duringOutage),
  )

async function byProvider(name: string, browser = browserOf(), app = 'low'): Promise<Browser> {
  who = name
  const page = await browser.submit(samlAnswer(await goThere(browser, await openApp(browser, app))))
  if (!atCallback(page)) throw new Error(`${name} stopped at ${page.url.pathname}: ${headingOf(page)}`)
  return browser
}

async function givePasskey(name: string): Promise<Authenticator> {
  const { hostname, origin } = new URL(gateway.issuer)
  const passkey = createAuthenticator({ rpId: hostname, origin })
  const about = { personId: await idOf(name), username: name, name, conversation: 'giving' }
  const { factors } = gateway.server.house
  await factors.finishEnrolment('passkey', passkey.create(await factors.beginEnrolment('passkey', about)), about)
  return passkey
}

async function byPasskey(browser: Browser, passkey: Authenticator, app = 'low'): Promise<Page> {
  const page = await openApp(browser, app)
  return browser.submit(formOf(page, 'identifier'), { credential: JSON.stringify(passkey.get(passkeyOptions(page))) })
}

function signOut({ jar }: Browser): void {
  for (const name of [...jar.keys()]) if (name !== 'portico-device') jar.delete(name)
}

/** The clockwork of so long a time, ten times over however long. */
async function pass(ms: number): Promise<void> {
  for (let i = 0; i < 10; i++) {
    clock.at += ms / 10
    await gateway.server.look()
  }
}

test('what is declared holds while its metadata cannot be read, and nothing more; then the person has to go there', async () => {
  const [ann, bob, cas] = [await byProvider('ann'), await byProvider('bob'), await byProvider('cas')]
  const [bobs, cass] = [await givePasskey('bob'), await givePasskey('cas')]
  await pass(MINUTE)
  expect(state()).toBe('up')
  way.cut()
  await pass(2 * MINUTE)
  expect(state()).toBe('down')

  // a session from before
  expect(atCallback(await openApp(ann, 'low'))).toBe(true)
  expect((await openApp(ann, 'high')).status).toBe(403)
  // a passkey, on a known device and on another
  for (const [browser, passkey] of [
    [bob, bobs],
    [cas, cass],
  ] as const) {
    signOut(browser)
    expect(atCallback(await byPasskey(browser, passkey))).toBe(true)
    expect((await openApp(browser, 'high')).status).toBe(403)
  }
  const strange = browserOf()
  expect([(await byPasskey(strange, bobs)).status, strange.jar.has('portico-session')]).toEqual([503, false])
  // nobody is sent there
  const newcomer = browserOf()
  const refused = await goThere(newcomer, await openApp(newcomer, 'low'))
  expect([refused.url.origin, refused.status]).toEqual([gateway.issuer, 503])

  way.restore()
  await pass(20_000)
  expect(state()).toBe('returning')
  expect(atCallback(await openApp(ann, 'high'))).toBe(true)
  // his word of now stands beside what he gave meanwhile
  expect(atCallback(await openApp(bob, 'low'))).toBe(true)
  who = 'bob'
  const there = await openApp(bob, 'high')
  expect(there.url.pathname).toBe('/sso')
  expect(atCallback(await bob.submit(samlAnswer(there)))).toBe(true)
  // whoever does not go there is out
  expect(await doubtful('cas')).toHaveLength(1)
  await pass(16 * MINUTE)
  expect(await doubtful('cas')).toEqual([])
  expect(state()).toBe('up')
  expect(atCallback(await openApp(cas, 'low'))).toBe(false)
  for (const app of ['low', 'high']) expect(atCallback(await openApp(bob, app))).toBe(true)
  const events = (await gateway.server.house.audit.search({ limit: 1000 })).filter(({ reason }) => reason === PARTNER)
  expect(events.map(({ event }) => event).filter((event) => event.startsWith('directory-'))).toEqual([
    'directory-judged-again',
    'directory-up',
    'directory-down',
  ])
})
