/** Single logout (SAML 2.0 Profiles §4.4), both ways: apps that sign somebody out, and apps that hear of it. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  certificatesOf,
  childrenOf,
  isSignedBy,
  METADATA,
  postedXml,
  readLogoutRequest,
  readLogoutResponse,
  readRedirect,
  readXml,
  redirectMessage,
  soapMessage,
  verifyMessage,
} from '#saml'
import { createBrowser, formOf, formsOf, type Page } from '../../demo/browser.ts'
import { cookiesOf, movableClock, stepOf } from '../abuse/people.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, typePassword } from '../support/relying-party.ts'
import {
  carryingForm,
  inEnvelope,
  logoutAnswerXml,
  logoutXml,
  redirectTo,
  requestXml,
  signedMessage,
  xmlOf,
} from '../support/saml-app.ts'
import { type Keys, makeKeys } from '../support/saml-provider.ts'

const SUCCESS = 'Success'
const clock = movableClock()
let gateway: Gateway
let keys: Keys
let others: Keys
let soap: Server
/** LogoutRequests that came to the app's own server, as XML. */
const heard: string[] = []
/** How that server answers; good unless a test says otherwise. */
let answering: (request: string) => { status: number; body: string }

const entity = (id: string) => `https://${id}.kestrel.example/metadata`
const at = (id: string, path: string) => `https://${id}.kestrel.example/${path}`
const idOf = (xml: string) => / ID="([^"]*)"/.exec(xml)![1]!

const goodAnswer = (request: string, change: { keys?: Keys; inResponseTo?: string; status?: string } = {}) => {
  const answer = logoutAnswerXml({
    issuer: entity('soap'),
    destination: `${gateway.issuer}/saml/slo`,
    at: clock.now(),
    inResponseTo: change.inResponseTo ?? idOf(request),
    ...(change.status ? { status: change.status } : {}),
  })
  return { status: 200, body: inEnvelope(signedMessage(answer, 'LogoutResponse', change.keys ?? keys)) }
}

beforeAll(async () => {
  ;[keys, others] = await Promise.all([makeKeys(), makeKeys()])
  soap = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const xml = soapMessage(Buffer.concat(chunks).toString())
      heard.push(xml)
      const { status, body } = answering(xml)
      response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
    })
  })
  await new Promise<void>((resolve) => soap.listen(0, '127.0.0.1', resolve))
  const { port } = soap.address() as AddressInfo
  const app = (id: string, saml: object) => ({
    id,
    name: `App ${id}`,
    policy: 'plain',
    audience: ['*'],
    saml: {
      entity_id: entity(id),
      acs_urls: [at(id, 'acs')],
      signing_certificates: [keys.certificate],
      ...saml,
    },
  })
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    people: ['sam', 'eva'].map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [
      app('asks', {
        slo: [
          { url: at('asks', 'slo'), binding: 'redirect', response_url: at('asks', 'slo/answers') },
          { url: at('asks', 'slo/form'), binding: 'post' },
        ],
      }),
      app('soap', { slo: [{ url: `http://127.0.0.1:${port}/slo`, binding: 'soap' }] }),
      app('front', { slo: [{ url: at('front', 'slo?tenant=1'), binding: 'redirect' }] }),
      app('postal', { slo: [{ url: at('postal', 'slo'), binding: 'post' }] }),
      app('deaf', {}),
      app('keyless', { signing_certificates: [], slo: [{ url: at('keyless', 'slo'), binding: 'redirect' }] }),
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  await new Promise((resolve) => soap.close(resolve))
})
afterEach(() => {
  heard.length = 0
  answering = goodAnswer
})

const slo = () => `${gateway.issuer}/saml/slo`
const sessionsOf = (username: string) =>
  gateway.server.house.sessions.ofPerson(gateway.ids.get(username)!).then((all) => all.map(({ id }) => id))

async function ourCertificates(): Promise<string[]> {
  const xml = await (await fetch(`${gateway.issuer}/saml/metadata`)).text()
  const [role] = childrenOf(readXml(xml, { size: 1e6, comments: 'refused' }), METADATA, 'IDPSSODescriptor')
  return certificatesOf(role!, 'signing')
}

/** Signs on; answers what the app is told. */
async function signOn(browser: Browser, id: string, username = 'sam') {
  const request = requestXml(gateway.issuer, { at: clock.now(), issuer: entity(id) })
  let page = await browser.open(redirectTo(`${gateway.issuer}/saml/sso`, request))
  if (stepOf(page) === 'identifier') page = await typePassword(browser, page, username)
  const xml = xmlOf(page)
  const nameId = /<saml:NameID[^>]*>([^<]*)/.exec(xml)![1]!
  return { nameId, index: /SessionIndex="([^"]*)"/.exec(xml)![1]! }
}

const asked = (about: Parameters<typeof logoutXml>[1]) =>
  logoutXml(gateway.issuer, { at: clock.now(), issuer: entity('asks'), ...about })

/** By redirect, signed; answers where the browser is sent. */
async function askByRedirect(xml: string, sent: Parameters<typeof redirectTo>[2] = { keys }, from?: Browser) {
  const headers: Record<string, string> = from ? { cookie: cookiesOf(from) } : {}
  const response = await fetch(redirectTo(slo(), xml, sent), { redirect: 'manual', headers })
  return { status: response.status, location: response.headers.get('location') ?? '', text: await response.text() }
}

async function answerIn(location: string) {
  const url = new URL(location)
  const incoming = readRedirect(url.search.slice(1), 'SAMLResponse')
  expect(isSignedBy(incoming, await ourCertificates())).toBe(true)
  const element = redirectMessage(incoming, []).element
  const expected = {
    issuer: `${gateway.issuer}/saml/metadata`,
    destination: url.origin + url.pathname,
    now: clock.now(),
  }
  return { ...readLogoutResponse(element, expected), relayState: incoming.relayState }
}

describe('an app signs somebody out', () => {
  test('by redirect: the session ends, the answer is signed and goes where the app takes answers', async () => {
    const browser = createBrowser()
    const { nameId, index } = await signOn(browser, 'asks')
    const xml = asked({ nameId, indexes: [index] })
    const { status, location } = await askByRedirect(xml, { keys, relayState: 'https://evil.example' })
    expect([status, location.split('?')[0]]).toEqual([303, at('asks', 'slo/answers')])
    expect(await answerIn(location)).toMatchObject({
      inResponseTo: idOf(xml),
      status: [SUCCESS],
      relayState: 'https://evil.example',
    })
    expect(await sessionsOf('sam')).toEqual([])
    expect(stepOf(await browser.open(gateway.issuer))).toBe('identifier')
  })

  test('by a form: the answer comes as a form', async () => {
    const browser = createBrowser()
    const { nameId } = await signOn(browser, 'asks')
    const xml = signedMessage(asked({ nameId }), 'LogoutRequest', keys)
    const fields = new URLSearchParams({ SAMLRequest: Buffer.from(xml).toString('base64'), RelayState: 'r' })
    const response = await fetch(slo(), {
      method: 'POST',
      body: fields,
      headers: { origin: 'https://asks.kestrel.example', 'sec-fetch-site': 'cross-site' },
    })
    const policy = response.headers.get('content-security-policy')!
    expect(/form-action ([^;]*)/.exec(policy)![1]).toBe("'self' https://asks.kestrel.example")
    const page: Page = { url: new URL(slo()), status: response.status, text: await response.text() }
    const form = carryingForm(page)!
    expect([form.action.href, form.fields.get('RelayState')]).toEqual([at('asks', 'slo/form'), 'r'])
    const { element, signed } = await verifyMessage(xmlOf(page), await ourCertificates())
    const expected = {
      issuer: `${gateway.issuer}/saml/metadata`,
      destination: at('asks', 'slo/form'),
      now: clock.now(),
    }
    expect([signed, readLogoutResponse(element, expected).inResponseTo]).toEqual([true, idOf(xml)])
    expect(await sessionsOf('sam')).toEqual([])
  })

  test.each(['text/xml', 'application/soap+xml; charset=utf-8'])(
    'from server to server (%s): the answer is in the same exchange',
    async (type) => {
      const { nameId, index } = await signOn(createBrowser(), 'asks')
      const xml = asked({ nameId, indexes: [index], destination: undefined })
      const response = await fetch(slo(), {
        method: 'POST',
        headers: { 'content-type': type },
        body: inEnvelope(signedMessage(xml, 'LogoutRequest', keys)),
      })
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/xml; charset=utf-8'])
      const { element, signed } = await verifyMessage(soapMessage(await response.text()), await ourCertificates())
      const expected = {
        issuer: `${gateway.issuer}/saml/metadata`,
        destination: slo(),
        soap: true,
        now: clock.now(),
      } as const
      expect(signed).toBe(true)
      expect(readLogoutResponse(element, expected)).toMatchObject({ inResponseTo: idOf(xml), status: [SUCCESS] })
      expect(await sessionsOf('sam')).toEqual([])
    },
  )

  test('a session that is named ends alone; a name without one ends all of that person, and of nobody else', async () => {
    const first = await signOn(createBrowser(), 'asks')
    const second = await signOn(createBrowser(), 'asks')
    await signOn(createBrowser(), 'asks', 'eva')
    expect(first.nameId).toBe(second.nameId)
    const before = await sessionsOf('sam')
    await askByRedirect(asked({ nameId: first.nameId, indexes: [first.index] }))
    const after = await sessionsOf('sam')
    expect([before.length, after.length]).toEqual([2, 1])
    await signOn(createBrowser(), 'asks')
    await askByRedirect(asked({ nameId: first.nameId }))
    expect([await sessionsOf('sam'), (await sessionsOf('eva')).length]).toEqual([[], 1])
  })

  test('the other apps hear of it, and the one that asked does not', async () => {
    const browser = createBrowser()
    const { nameId } = await signOn(browser, 'asks')
    const other = await signOn(browser, 'soap')
    const { location } = await askByRedirect(asked({ nameId }))
    expect((await answerIn(location)).status).toEqual([SUCCESS])
    await gateway.server.tick()
    expect(heard).toHaveLength(1)
    expect(heard[0]).toContain(`>${other.nameId}</saml:NameID>`)
    expect(await gateway.server.house.outbox.pending()).toBe(0)
  })

  test('an app that could be told by a message is not told of what it has asked for itself', async () => {
    const { nameId } = await signOn(createBrowser(), 'soap')
    // it has no address for browsers, so the person is told
    expect(await askByRedirect(asked({ nameId, issuer: entity('soap') }))).toMatchObject({ location: '/signout' })
    expect(await sessionsOf('sam')).toEqual([])
    await gateway.server.tick()
    expect(heard).toEqual([])
  })

  test('where an app takes no sign-outs, the one that asks hears that not everything is closed', async () => {
    const browser = createBrowser()
    const { nameId } = await signOn(browser, 'asks')
    await signOn(browser, 'deaf')
    const { location } = await askByRedirect(asked({ nameId }))
    expect((await answerIn(location)).status).toEqual([SUCCESS, 'PartialLogout'])
    expect(await sessionsOf('sam')).toEqual([])
  })

  test('whoever has left already is signed out all the same', async () => {
    const { location } = await askByRedirect(asked({ nameId: 'nobody' }))
    expect((await answerIn(location)).status).toEqual([SUCCESS])
  })

  test('an app without keys leads to the page that asks, and ends nothing by itself', async () => {
    const browser = createBrowser()
    const { nameId } = await signOn(browser, 'keyless')
    const xml = asked({ nameId, issuer: entity('keyless') })
    expect(await askByRedirect(xml, {}, browser)).toMatchObject({ status: 303, location: '/signout' })
    expect(await sessionsOf('sam')).toHaveLength(1)
    const page = await browser.open(redirectTo(slo(), xml))
    await browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })
    expect(await sessionsOf('sam')).toEqual([])
  })
})

describe('what ends nothing', () => {
  test('hostile requests', async () => {
    const browser = createBrowser()
    const { nameId, index } = await signOn(browser, 'asks')
    const eva = await signOn(createBrowser(), 'asks', 'eva')
    const spent = asked({ nameId: 'nobody' })
    await askByRedirect(spent)
    const refused: [string, () => Promise<{ status: number; text: string; location: string }>][] = [
      ['unsigned', () => askByRedirect(asked({ nameId }), {})],
      ['signed by somebody else', () => askByRedirect(asked({ nameId }), { keys: others })],
      [
        'SHA-1',
        () => askByRedirect(asked({ nameId }), { keys, algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' }),
      ],
      ['a second time', () => askByRedirect(spent)],
      ['of an app that is not registered', () => askByRedirect(asked({ nameId, issuer: entity('nobody') }))],
      ['for another destination', () => askByRedirect(asked({ nameId, destination: `${gateway.issuer}/saml/sso` }))],
      ['without a destination', () => askByRedirect(asked({ nameId, destination: undefined }))],
      ['old', () => askByRedirect(asked({ nameId, at: clock.now() - 3_600_000 }))],
      ['of tomorrow', () => askByRedirect(asked({ nameId, at: clock.now() + 86_400_000 }))],
      [
        'that has expired',
        () => askByRedirect(asked({ nameId, attributes: { NotOnOrAfter: '2020-01-01T00:00:00Z' } })),
      ],
      ['about nobody', () => askByRedirect(asked({ nameId: ' ' }))],
      ['about two', () => askByRedirect(asked({ nameId: `${nameId}</saml:NameID><saml:NameID>x` }))],
      ['with an empty session', () => askByRedirect(asked({ nameId, indexes: [''] }))],
      [
        'an answer to nothing',
        () =>
          askByRedirect(
            logoutAnswerXml({ issuer: entity('asks'), destination: slo(), at: clock.now(), inResponseTo: '_x' }),
            { keys, name: 'SAMLResponse' },
          ),
      ],
      [
        'a request to sign on',
        () =>
          askByRedirect(requestXml(gateway.issuer, { at: clock.now(), issuer: entity('asks'), destination: slo() })),
      ],
    ]
    for (const [name, send] of refused) {
      const { status, text, location } = await send()
      expect([status, location], name).toEqual([400, ''])
      for (const form of formsOf({ url: new URL(slo()), status, text })) expect(form.action.origin).toBe(gateway.issuer)
    }
    // taken, and yet about nobody who is here: another person's session, and the one of this person under another name
    await askByRedirect(asked({ nameId, indexes: [eva.index] }))
    await askByRedirect(asked({ nameId: eva.nameId, indexes: [index] }))
    const elsewhere = await signOn(browser, 'front')
    await askByRedirect(asked({ nameId: elsewhere.nameId }))
    expect([(await sessionsOf('sam')).length, (await sessionsOf('eva')).length]).toEqual([1, 2])
    await gateway.server.house.sessions.endAll(gateway.ids.get('eva')!, 'test', 'test')
    await gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'test', 'test')
  })

  test('SOAP: unsigned, of an app without keys, no envelope, a DOCTYPE: a fault that tells nobody why', async () => {
    const { nameId } = await signOn(createBrowser(), 'asks')
    const keyless = await signOn(createBrowser(), 'keyless')
    const good = asked({ nameId })
    for (const body of [
      inEnvelope(good),
      inEnvelope(signedMessage(good, 'LogoutRequest', others)),
      inEnvelope(asked({ nameId: keyless.nameId, issuer: entity('keyless') })),
      signedMessage(good, 'LogoutRequest', keys),
      `<!DOCTYPE x>${inEnvelope(signedMessage(good, 'LogoutRequest', keys))}`,
      '',
    ]) {
      const response = await fetch(slo(), { method: 'POST', headers: { 'content-type': 'text/xml' }, body })
      expect(response.status).toBe(500)
      expect(await response.text()).toMatch(/<faultstring>The message is not accepted.<\/faultstring>/)
    }
    expect(await sessionsOf('sam')).toHaveLength(2)
    await gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'test', 'test')
  })
})

describe('an app hears of an end', () => {
  test.each<[string, (id: string) => Promise<unknown>]>([
    ['a click', (id) => gateway.server.house.sessions.end(id, 'signed-out', 'test')],
    ['an administrator', () => gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'x', 'test')],
    [
      'the clock',
      async () => {
        clock.at += 20 * 3_600_000
      },
    ],
  ])('after %s, with the name that it knows, signed, once', async (_, end) => {
    const { nameId, index } = await signOn(createBrowser(), 'soap')
    const [id] = await sessionsOf('sam')
    await end(id!)
    await gateway.server.tick()
    await gateway.server.tick()
    expect(heard).toHaveLength(1)
    const { element, signed } = await verifyMessage(heard[0]!, await ourCertificates())
    expect(signed).toBe(true)
    const { port } = soap.address() as AddressInfo
    const expected = {
      issuer: `${gateway.issuer}/saml/metadata`,
      destination: `http://127.0.0.1:${port}/slo`,
      now: clock.now(),
    }
    expect(readLogoutRequest(element, expected)).toMatchObject({
      nameId: { value: nameId, spNameQualifier: entity('soap') },
      sessionIndexes: [index],
    })
    expect(await gateway.server.house.outbox.pending()).toBe(0)
    const delivered = await gateway.server.house.audit.search({ event: 'logout-delivered', app: 'soap' })
    expect(delivered.length).toBeGreaterThan(0)
  })

  test.each<[string, (request: string) => { status: number; body: string }, 'retry' | 'give-up']>([
    ['cannot answer now', () => ({ status: 503, body: '' }), 'retry'],
    ['does not know the address', () => ({ status: 404, body: '' }), 'give-up'],
    ['answers to something else', (request) => goodAnswer(request, { inResponseTo: '_x' }), 'give-up'],
    ['is somebody else', (request) => goodAnswer(request, { keys: others }), 'give-up'],
    ['says no', (request) => goodAnswer(request, { status: 'Requester' }), 'give-up'],
    ['says nothing that is SAML', () => ({ status: 200, body: '<html></html>' }), 'give-up'],
  ])('one that %s has not confirmed', async (_, answer, outcome) => {
    const { outbox, signOuts, sessions } = gateway.server.house
    await signOn(createBrowser(), 'soap')
    const [id] = await sessionsOf('sam')
    const session = (await sessions.byId(id!))!
    answering = answer
    await sessions.end(id!, 'signed-out', 'test')
    await gateway.server.tick()
    expect(await outbox.pending()).toBe(outcome === 'retry' ? 1 : 0)
    const states = await signOuts.progress({ session, reason: 'signed-out' })
    expect(states).toEqual([{ app: 'soap', state: outcome === 'retry' ? 'trying' : 'refused' }])
    answering = goodAnswer
    clock.at += 31_000
    await gateway.server.tick()
    expect(await outbox.pending()).toBe(0)
    expect(heard).toHaveLength(outcome === 'retry' ? 2 : 1)
  })
})

test('one person becomes another: the app hears that the first one is gone, and is told the name of the one who stays', async () => {
  const [eva, sam] = [gateway.ids.get('eva')!, gateway.ids.get('sam')!]
  const browser = createBrowser()
  const before = await signOn(browser, 'soap', 'eva')
  await gateway.server.house.endings.become(eva, sam)
  await gateway.server.tick()
  expect(heard).toHaveLength(1)
  expect(heard[0]).toContain(`>${before.nameId}</saml:NameID>`)
  // the same session, which asks nobody anything
  const after = await signOn(browser, 'soap', 'nobody')
  const own = await signOn(createBrowser(), 'soap', 'sam')
  expect(after.nameId).toBe(own.nameId)
  expect(after.nameId).not.toBe(before.nameId)
  await gateway.server.house.sessions.endAll(sam, 'test', 'test')
})

describe('an app that only the browser can tell', () => {
  const stateOf = async (session: Parameters<typeof gateway.server.house.signOuts.progress>[0]['session']) =>
    (await gateway.server.house.signOuts.progress({ session, reason: 'signed-out' }))[0]!.state

  /** Signed on and out here; answers the session that was, the address for the browser, and the request in it. */
  async function left(id: string) {
    const { sessions, signOuts } = gateway.server.house
    const told = await signOn(createBrowser(), id)
    const session = (await sessions.byId((await sessionsOf('sam'))[0]!))!
    await sessions.end(session.id, 'signed-out', 'test')
    const frames = await signOuts.frames({ session, reason: 'signed-out' })
    const [frame] = frames
    const incoming =
      frame && !frame.fields ? readRedirect(new URL(frame.url).search.slice(1), 'SAMLRequest') : undefined
    return { told, session, frames, incoming }
  }

  const answerOf = (id: string, inResponseTo: string, status = SUCCESS) =>
    logoutAnswerXml({ issuer: entity(id), destination: slo(), at: clock.now(), inResponseTo, status })

  test('gets an address with a signed request, and its signed answer is the confirmation, once', async () => {
    const { told, session, frames, incoming } = await left('front')
    expect(frames[0]!.url.startsWith(`${at('front', 'slo?tenant=1')}&SAMLRequest=`)).toBe(true)
    expect(isSignedBy(incoming!, await ourCertificates())).toBe(true)
    expect(incoming!.xml).toContain(`>${told.nameId}</saml:NameID>`)
    expect(incoming!.xml).toContain(`<samlp:SessionIndex>${told.index}<`)
    expect(await stateOf(session)).toBe('browser')
    const xml = answerOf('front', idOf(incoming!.xml))
    // unsigned, of somebody else's key, of another app, to another request: none confirms, and none spends it
    for (const [wrong, sent] of [
      [xml, {}],
      [xml, { keys: others }],
      [answerOf('asks', idOf(incoming!.xml)), { keys }],
      [answerOf('front', '_nothing'), { keys }],
    ] as const)
      expect((await askByRedirect(wrong, { ...sent, name: 'SAMLResponse' })).status).toBe(400)
    expect(await stateOf(session)).toBe('browser')
    expect((await askByRedirect(xml, { keys, name: 'SAMLResponse' })).status).toBe(303)
    expect(await stateOf(session)).toBe('confirmed')
    expect((await askByRedirect(xml, { keys, name: 'SAMLResponse' })).status).toBe(400)
  })

  test('has not confirmed where it says that it did not work', async () => {
    const { session, incoming } = await left('front')
    const xml = answerOf('front', idOf(incoming!.xml), 'Responder')
    expect((await askByRedirect(xml, { keys, name: 'SAMLResponse' })).status).toBe(303)
    expect(await stateOf(session)).toBe('browser')
  })

  test('gets a form where it takes nothing else', async () => {
    const { told, session, frames } = await left('postal')
    const [{ url, fields }] = frames as [{ url: string; fields: Record<string, string> }]
    expect([url, Object.keys(fields), await stateOf(session)]).toEqual([
      at('postal', 'slo'),
      ['SAMLRequest'],
      'browser',
    ])
    const { element, signed } = await verifyMessage(postedXml(fields['SAMLRequest']!), await ourCertificates())
    const expected = { issuer: `${gateway.issuer}/saml/metadata`, destination: url, now: clock.now() }
    const { id, nameId, sessionIndexes } = readLogoutRequest(element, expected)
    expect([signed, nameId.value, sessionIndexes]).toEqual([true, told.nameId, [told.index]])
    const answer = signedMessage(answerOf('postal', id), 'LogoutResponse', keys)
    const body = new URLSearchParams({ SAMLResponse: Buffer.from(answer).toString('base64') })
    const response = await fetch(slo(), { method: 'POST', body, redirect: 'manual' })
    expect([response.status, await stateOf(session)]).toEqual([303, 'confirmed'])
  })

  test('an app that takes none gets none', async () => {
    const { session, frames } = await left('deaf')
    expect([frames, await stateOf(session)]).toEqual([[], 'never'])
  })
})

describe('an app signs somebody out, and others can be told by the browser only', () => {
  beforeEach(() => gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'test', 'test'))

  /** Asks by redirect with the browser's cookies; answers the path on which it comes on. */
  async function leaving() {
    const browser = createBrowser()
    const { nameId, index } = await signOn(browser, 'asks')
    await signOn(browser, 'front')
    await signOn(browser, 'postal')
    const [id] = await sessionsOf('sam')
    const session = (await gateway.server.house.sessions.byId(id!))!
    const { status, location } = await askByRedirect(asked({ nameId, indexes: [index] }), { keys, relayState: 'r' })
    expect([status, location]).toEqual([303, expect.stringMatching(/^\/saml\/slo\/[\w-]{32}$/)])
    expect(await sessionsOf('sam')).toEqual([])
    return { browser, session, path: location }
  }
  const look = async (path: string, from?: Browser) => {
    const headers: Record<string, string> = from ? { cookie: cookiesOf(from) } : {}
    const response = await fetch(gateway.issuer + path, { redirect: 'manual', headers })
    return { headers: response.headers, location: response.headers.get('location') ?? '', text: await response.text() }
  }
  const framesIn = (text: string) => (text.match(/<iframe /g) ?? []).length

  test('it is answered once that browser has told them, by what they have confirmed', async () => {
    const { browser, session, path } = await leaving()
    const between = await look(path, browser)
    expect([framesIn(between.text), between.headers.get('refresh')]).toEqual([2, `2;url=${path}?on`])
    expect(between.headers.get('clear-site-data')).toBe('"cache", "storage"')
    expect(between.headers.getSetCookie().some((one) => /^portico-session=;/.test(one))).toBe(true)
    // where they may be loaded from, and where the form may go; nowhere else
    const policy = between.headers.get('content-security-policy')!
    expect(/frame-src ([^;]*)/.exec(policy)![1]!.split(' ').sort()).toEqual(
      ["'self'", ...['front', 'postal'].map((id) => `https://${id}.kestrel.example`)].sort(),
    )
    expect(/form-action ([^;]*)/.exec(policy)![1]).toBe("'self' https://postal.kestrel.example")
    for (const app of ['front', 'postal']) await gateway.server.house.signOuts.confirm(session.id, app)
    const on = await look(`${path}?on`, browser)
    expect(on.location.split('?')[0]).toBe(at('asks', 'slo/answers'))
    expect(await answerIn(on.location)).toMatchObject({ status: [SUCCESS], relayState: 'r' })
    // once
    for (const again of [path, `${path}?on`]) expect((await look(again, browser)).location).toBe('/signout')
  })

  test('it hears where one of them has not confirmed', async () => {
    const { browser, session, path } = await leaving()
    await look(path, browser)
    await gateway.server.house.signOuts.confirm(session.id, 'front')
    expect((await answerIn((await look(`${path}?on`, browser)).location)).status).toEqual([SUCCESS, 'PartialLogout'])
  })

  test('whoever else brings the request learns nothing of the other apps, and it is answered all the same', async () => {
    const { path } = await leaving()
    const stranger = await look(path)
    expect(stranger.text).not.toContain('<iframe')
    expect((await answerIn(stranger.location)).status).toEqual([SUCCESS, 'PartialLogout'])
    const other = createBrowser()
    await signOn(other, 'front', 'eva')
    const { path: second } = await leaving()
    const living = await look(second, other)
    expect(living.text).not.toContain('<iframe')
    expect((await answerIn(living.location)).status).toEqual([SUCCESS, 'PartialLogout'])
    expect(await sessionsOf('eva')).toHaveLength(1)
    await gateway.server.house.sessions.endAll(gateway.ids.get('eva')!, 'test', 'test')
  })

  test('from server to server there is no browser: it is answered at once', async () => {
    const browser = createBrowser()
    const { nameId } = await signOn(browser, 'asks')
    await signOn(browser, 'postal')
    const body = inEnvelope(signedMessage(asked({ nameId, destination: undefined }), 'LogoutRequest', keys))
    const response = await fetch(slo(), { method: 'POST', headers: { 'content-type': 'text/xml' }, body })
    expect(await response.text()).toContain('PartialLogout')
  })

  test('an address that nobody was sent to, or too late, leads to the page of sign-outs', async () => {
    expect((await look(`/saml/slo/${'A'.repeat(32)}`)).location).toBe('/signout')
    const { browser, path } = await leaving()
    clock.at += 121_000
    expect((await look(path, browser)).location).toBe('/signout')
  })
})
