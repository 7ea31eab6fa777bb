/** The commonest mistakes of apps that speak SAML, or no protocol behind a proxy: each has its cause, its fix, and a plain page. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, type Page } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { createVisitor, app as proxied } from '../forward-auth/house.ts'
import { failuresOf, referenceOn } from '../support/failures.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { typePassword } from '../support/relying-party.ts'
import {
  carryingForm,
  FORMATS,
  formTo,
  logoutXml,
  policy,
  redirectTo,
  requestXml,
  signedRequest,
  statusOf,
  xmlOf,
} from '../support/saml-app.ts'
import { type Keys, makeKeys } from '../support/saml-provider.ts'

const entityOf = (id: string) => `https://${id}.kestrel.example/metadata`
const acsOf = (id: string) => `https://${id}.kestrel.example/acs`
const app = (id: string, saml: object = {}) => ({
  id,
  name: `App ${id}`,
  policy: 'plain',
  audience: ['staff'],
  saml: { entity_id: entityOf(id), acs_urls: [acsOf(id)], ...saml },
})

let gateway: Gateway
let keys: Keys
let others: Keys
const clock = movableClock()
const { portico, last, all, logged } = failuresOf(() => gateway, clock)
const browserOf = () => createBrowser({ stopAt: 'https://' })

beforeAll(async () => {
  ;[keys, others] = await Promise.all([makeKeys(), makeKeys()])
  const signed = { signing_certificates: [keys.certificate] }
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    settings: { proxies: ['127.0.0.0/8'] },
    people: [{ username: 'sam', name: 'Sam de Vries', groups: ['staff'] }],
    apps: [
      ...['acs', 'slash', 'early', 'late', 'elsewhere', 'format', 'loop', 'tabs', 'fine', 'grouped'].map((id) =>
        app(id),
      ),
      app('mails', { name_id_format: 'emailAddress' }),
      app('unsigned', { ...signed, requests_signed: true }),
      ...['other-key', 'other-key-posted', 'sha1', 'leaving', 'mended'].map((id) => app(id, signed)),
      proxied('wiki'),
      proxied('notes'),
      proxied('round'),
    ] as never,
  })
})
afterAll(() => gateway.close())

const sso = () => `${gateway.issuer}/saml/sso`
const asked = (id: string, changes: Parameters<typeof requestXml>[1] = {}) =>
  requestXml(gateway.issuer, { issuer: entityOf(id), at: clock.now(), ...changes })
const send = (xml: string, how: Parameters<typeof redirectTo>[2] = {}) => browserOf().open(redirectTo(sso(), xml, how))

/** The page names the reference and nothing of the cause; log and command line say the rest. */
async function diagnosed(id: string, cause: string, page?: Page) {
  const failure = await last(id, cause)
  expect(logged(id)).toContainEqual(
    expect.objectContaining({ cause, reference: failure.reference, fix: expect.any(String) }),
  )
  const { out } = await portico('apps', 'show', id)
  for (const line of [failure.said, ...failure.fix, failure.reference]) expect(out).toContain(line)
  expect((await portico('policy', 'explain', '--receipt', failure.reference)).out).toContain(failure.said)
  for (const line of [failure.said, ...failure.fix]) expect(line).not.toMatch(/undefined|NaN|\[object/)
  if (page) {
    expect(page.status).toBe(400)
    expect(referenceOn(page.text)).toBe(failure.reference)
    expect(page.text).not.toMatch(/certificate|signature|NameID|Destination|kestrel\.example\/acs/)
  }
  return failure
}

describe('the address for answers', () => {
  test('another one', async () => {
    const page = await send(asked('acs', { attributes: { AssertionConsumerServiceURL: 'https://evil.example/acs' } }))
    const failure = await diagnosed('acs', 'redirect-uri-wrong', page)
    expect(failure.said).toContain('AssertionConsumerServiceURL `https://evil.example/acs`, which is not registered')
    expect(failure.fix).toEqual([
      `in the app: set AssertionConsumerServiceURL to ${acsOf('acs')}`,
      expect.stringMatching(/^portico apps snippet acs/),
    ])
  })

  test('a slash at its end', async () => {
    await send(asked('slash', { attributes: { AssertionConsumerServiceURL: `${acsOf('slash')}/` } }))
    expect((await diagnosed('slash', 'redirect-uri-slash')).fix[1]).toContain('under saml.acs_urls')
  })
})

describe('clocks', () => {
  test('ahead', async () => {
    const page = await send(asked('early', { at: clock.now() + 3_600_000 }))
    expect((await diagnosed('early', 'clock-skew', page)).said).toBe(
      'By the AuthnRequest (IssueInstant) of the app it is 3600 seconds later than by the clock here: one of the two clocks is wrong.',
    )
  })

  test('behind, or an old link', async () => {
    await send(asked('late', { at: clock.now() - 3_600_000 }))
    expect(await diagnosed('late', 'clock-skew')).toMatchObject({
      likely: true,
      said: expect.stringContaining('3600 seconds old'),
    })
  })
})

test('a request that was meant for another address', async () => {
  const page = await send(asked('elsewhere', { destination: 'https://old.example/saml/sso' }))
  const failure = await diagnosed('elsewhere', 'audience-wrong', page)
  expect(failure.said).toBe(`The Destination is \`https://old.example/saml/sso\`, expected is \`${sso()}\`.`)
  expect(failure.fix).toEqual([`in the app: set our address to ${sso()}`])
})

describe('names', () => {
  test('a format that is not registered: the app is told so, and the administrator which', async () => {
    const page = await send(asked('format', { inside: policy(FORMATS.emailAddress) }))
    expect(statusOf(xmlOf(page))).toEqual(['Requester', 'InvalidNameIDPolicy'])
    const failure = await diagnosed('format', 'name-id-format')
    expect(xmlOf(page)).toContain(
      `<samlp:StatusMessage>reference ${failure.reference}</samlp:StatusMessage></samlp:Status>`,
    )
    expect(failure.said).toBe(
      `The app asks for the NameID format \`${FORMATS.emailAddress}\`, registered is \`persistent\`.`,
    )
    expect(failure.fix).toEqual([
      'in the app: set the NameID format to persistent, or to none',
      expect.stringContaining('saml.name_id_format: emailAddress'),
    ])
  })

  test('a person without the field that it is made of', async () => {
    const browser = browserOf()
    const page = await typePassword(browser, await browser.open(redirectTo(sso(), asked('mails'))), 'sam')
    expect(statusOf(xmlOf(page))).toEqual(['Responder', 'InvalidNameIDPolicy'])
    const failure = await diagnosed('mails', 'name-id-missing')
    expect(failure.said).toContain('has no `email`')
    expect(xmlOf(page)).toContain(`<samlp:StatusMessage>reference ${failure.reference}</samlp:StatusMessage>`)
  })
})

describe('signatures', () => {
  test('by another key, in the address', async () => {
    const page = await send(asked('other-key'), { keys: others })
    const failure = await diagnosed('other-key', 'certificate-wrong', page)
    expect(failure).toMatchObject({
      likely: true,
      said: 'None of the 1 registered keys of the app made the signature of its AuthnRequest: likely it signs with a new one.',
    })
    expect(failure.fix[0]).toContain('as PEM, under saml.signing_certificates')
  })

  test('by another key, in a form', async () => {
    const page = await browserOf().submit(formTo(sso(), signedRequest(asked('other-key-posted'), others)))
    await diagnosed('other-key-posted', 'certificate-wrong', page)
  })

  test('by SHA-1', async () => {
    const page = await send(asked('sha1'), { keys, algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' })
    expect((await diagnosed('sha1', 'signature-algorithm', page)).fix).toEqual([
      'in the app: set the signature algorithm to RSA-SHA256, and the digest to SHA-256',
    ])
  })

  test('none, where one is required', async () => {
    const page = await send(asked('unsigned'))
    const failure = await diagnosed('unsigned', 'signature-missing', page)
    expect(failure.fix[1]).toContain('saml.requests_signed: false')
  })

  test('none of a sign-out, which no setting allows', async () => {
    const xml = logoutXml(gateway.issuer, { issuer: entityOf('leaving'), nameId: 'x', at: clock.now() })
    await browserOf().open(redirectTo(`${gateway.issuer}/saml/slo`, xml))
    const failure = await diagnosed('leaving', 'signature-missing')
    expect(failure.said).toBe('The app does not sign its LogoutRequest.')
    expect(failure.fix.join()).not.toContain('requests_signed')
  })
})

describe('circles', () => {
  async function circling(id: string, step: number) {
    const browser = browserOf()
    for (let i = 0; i < 6; i++) {
      let page = await browser.open(redirectTo(sso(), asked(id)))
      if (!carryingForm(page)) page = await typePassword(browser, page, 'sam')
      expect(carryingForm(page)).toBeDefined()
      clock.at += step
    }
  }

  test('an app that sends people here again at once likely refuses the assertion', async () => {
    await circling('loop', 1000)
    const failure = await diagnosed('loop', 'sign-in-loop')
    expect(failure).toMatchObject({
      likely: true,
      said: expect.stringContaining('refuses the assertion (clock, audience, certificate)'),
    })
    expect(failure.fix[1]).toContain(`${gateway.issuer}/saml/metadata`)
    expect(failure.fix[1]).toContain(entityOf('loop'))
  })

  test('tabs at the same moment are none', async () => {
    await circling('tabs', 0)
    expect(await all('tabs')).toEqual([])
  })
})

test('a sign-on that works marks what had failed as mended', async () => {
  await send(asked('mended'), { keys: others })
  expect((await last('mended', 'certificate-wrong')).mended_at).toBeNull()
  clock.at += 20_000
  const browser = browserOf()
  const page = await typePassword(browser, await browser.open(redirectTo(sso(), asked('mended'), { keys })), 'sam')
  expect(carryingForm(page)).toBeDefined()
  expect((await last('mended', 'certificate-wrong')).mended_at).toBe(new Date(clock.at).toISOString())
})

test('an entity id that nobody registered is counted in the log, once in ten seconds, with the name that comes nearest', async () => {
  clock.at += 60_000
  for (let i = 0; i < 5; i++)
    await send(requestXml(gateway.issuer, { issuer: `https://fime.kestrel.example/metadata`, at: clock.now() }))
  clock.at += 11_000
  await send(requestXml(gateway.issuer, { issuer: 'https://fime.kestrel.example/metadata', at: clock.now() }))
  const lines = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('"app-unknown"'))
    .map((line) => JSON.parse(line))
  expect(lines).toMatchObject([
    { kind: 'entity-id', near: entityOf('fine'), count: 1 },
    { kind: 'entity-id', near: entityOf('fine'), count: 5 },
  ])
  expect(gateway.log()).not.toContain('fime')
})

describe('behind a proxy', () => {
  test('the cookie of the opening does not come back', async () => {
    const visitor = createVisitor(gateway)
    const back = await visitor.through(await visitor.visit('https://wiki.example.com/page'))
    visitor.jarOf('wiki.example.com').clear()
    const answer = await visitor.visit(back.href)
    const failure = await diagnosed('wiki', 'cookie-blocked')
    expect(answer.status).toBe(400)
    expect(referenceOn(answer.text)).toBe(failure.reference)
    expect(failure).toMatchObject({ likely: true, said: expect.stringContaining('wiki.example.com') })
    expect(failure.fix[0]).toMatch(/^portico apps snippet wiki --for nginx /)
    expect((await visitor.open('https://wiki.example.com/page')).status).toBe(200)
    expect((await last('wiki', 'cookie-blocked')).mended_at).not.toBeNull()
  })

  test('the cookie of the app does not come back: the browser opens it again and again', async () => {
    const visitor = createVisitor(gateway)
    for (let i = 0; i < 5; i++) {
      const back = await visitor.through(await visitor.visit('https://round.example.com/'))
      await visitor.visit(back.href)
      for (const name of visitor.jarOf('round.example.com').keys())
        if (name.includes('portico-app-')) visitor.jarOf('round.example.com').delete(name)
      clock.at += 1000
    }
    expect((await diagnosed('round', 'cookie-blocked')).said).toContain('opened the app 5 times within 4 seconds')
  })

  test('a code that somebody else brings, or an old one, is no failure of the app', async () => {
    const visitor = createVisitor(gateway)
    await visitor.visit('https://notes.example.com/.portico/callback?code=nonsense')
    expect(await all('notes')).toEqual([])
  })
})
