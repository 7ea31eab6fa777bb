/** Signing out with a SAML provider: what we ask it, what it asks us, and what of that is believed. */
import { createPrivateKey, createVerify, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Sending } from '#http'
import { BINDINGS, postedXml, readLogoutRequest, readXml, verifyMessage } from '#saml'
import type { Told, UpstreamLogout, UpstreamSession } from '../../src/directory/federation/federated.ts'
import {
  type HowSent,
  inEnvelope,
  inForm,
  logoutAnswerXml,
  logoutXml,
  messageIn,
  type SaidLogout,
  signedMessage,
  signedQuery,
} from '../support/saml-logout.ts'
import {
  derOf,
  encryptedData,
  type Keys,
  LEAVE,
  LEFT,
  makeKeys,
  metadataOf,
  PERSISTENT,
  PROVIDER,
  posted,
  responseXml,
  signed,
} from '../support/saml-provider.ts'
import { ACS, ENTITY, openSaml, type SamlHouse, type SamlHouseOptions, SIGNED_OUT, SLO } from './saml-house.ts'

let keys: Keys
let stranger: Keys
let house: SamlHouse
let ann: UpstreamSession
beforeAll(async () => {
  ;[keys, stranger] = await Promise.all([makeKeys(), makeKeys()])
  house = await openSaml(keys)
  ann = await sessionOf(house)
})
afterAll(() => house.close())

const QUALIFIED = ` Format="${PERSISTENT}" NameQualifier="${PROVIDER}" SPNameQualifier="${ENTITY}" SPProvidedID="a-1"`

async function sessionOf(at: SamlHouse, change = (xml: string) => xml): Promise<UpstreamSession> {
  const { requestId } = await at.begin()
  const xml = responseXml({ now: at.clock.now(), requestId, acs: ACS, audience: ENTITY })
  return (await at.finish(posted(signed(change(xml), 'Response', keys)), requestId)).session
}
const open = async (options: SamlHouseOptions): Promise<SamlHouse> => {
  const other = await openSaml(keys, options)
  onTestFinished(() => other.close())
  return other
}

let count = 0
const request = (changes: Partial<SaidLogout> = {}) =>
  logoutXml({ id: `_request${++count}`, now: house.clock.now(), destination: SLO }, changes)
/** The three ways of a request to us. */
const WAYS: Readonly<Record<string, (xml: string, by?: Keys, how?: HowSent) => Partial<Told>>> = {
  'in an address': (xml, by = keys, how) => ({ query: signedQuery(xml, by, how) }),
  'in a form': (xml, by = keys, how) => ({ form: inForm(signedMessage(xml, by), how) }),
  'from server to server': (xml, by = keys) => ({ xml: inEnvelope(signedMessage(xml, by)) }),
}
const ways = Object.entries(WAYS)

describe('our request', () => {
  test('goes to the provider, signed, about the very name and session that it gave', async () => {
    const session = await sessionOf(house, (xml) => xml.replace(` Format="${PERSISTENT}"`, QUALIFIED))
    const url = (await house.leave(session))!
    expect(url.href.startsWith(`${LEAVE}&SAMLRequest=`)).toBe(true)
    const [, query] = /[?&](SAMLRequest=.*)&Signature=/.exec(url.href)!
    const verify = createVerify('RSA-SHA256').update(query!)
    expect(verify.verify(await house.certificate(), url.searchParams.get('Signature')!, 'base64')).toBe(true)
    const xml = messageIn(url, 'SAMLRequest')
    expect(xml).toContain(`Destination="${LEAVE}"`)
    expect(xml).toContain(`>${ENTITY}</saml:Issuer>`)
    for (const part of QUALIFIED.trim().split(' ')) expect(xml).toContain(part)
    expect(xml).toContain('>ann-for-ever</saml:NameID>')
    expect(xml).toContain('<samlp:SessionIndex>s1</samlp:SessionIndex>')
    expect(xml).toContain(`NotOnOrAfter="${new Date(house.clock.now() + 300_000).toISOString()}"`)
  })

  test('is not made where the settings, the provider or the sign-in have nothing to make it of', async () => {
    expect(await (await open({ settings: { sign_out: false } })).leave(ann)).toBeUndefined()
    const bare = metadataOf([keys.certificate]).replace(/<md:SingleLogoutService [^>]*>/, '')
    expect(await (await open({ metadata: bare })).leave(ann)).toBeUndefined()
    const script = metadataOf([keys.certificate]).replace(`Location="${LEAVE}"`, 'Location="javascript:alert(1)"')
    expect(await (await open({ metadata: script })).leave(ann)).toBeUndefined()
    expect(await house.leave({ subject: 'ann' })).toBeUndefined()
  })

  test('is not made while the provider does not answer, for the browser would not come back', async () => {
    let up = true
    const outbound = async () => {
      if (!up) throw new Error('down')
      return { status: 200, headers: {}, setCookies: [], body: metadataOf([keys.certificate]) }
    }
    const other = await open({ outbound, settings: { metadata_url: 'https://idp.partner.example/metadata' } })
    const session = await sessionOf(other)
    expect(await other.leave(session)).toBeDefined()
    up = false
    await expect(other.leave(session)).rejects.toMatchObject({ code: 'directory-unavailable' })
  })
})

describe('its answer', () => {
  async function asked(at = house) {
    const inResponseTo = /ID="([^"]+)"/.exec(messageIn((await at.leave(ann))!, 'SAMLRequest'))![1]!
    const base = { now: at.clock.now(), destination: SLO, inResponseTo }
    return { base, xml: logoutAnswerXml(base) }
  }
  const inAddress = (xml: string, by: Keys | undefined = keys): Partial<Told> => ({
    query: signedQuery(xml, by, { name: 'SAMLResponse' }),
  })

  test('leads to where the request wanted to come back to, once', async () => {
    const { xml } = await asked()
    expect(await house.told(inAddress(xml))).toEqual({ backTo: SIGNED_OUT })
    expect(await house.told(inAddress(xml))).toBe('in-response-to')
  })

  test('may come in a form, and may say that it was not everything', async () => {
    const { base } = await asked()
    const xml = logoutAnswerXml(base, { status: 'urn:oasis:names:tc:SAML:2.0:status:Responder' })
    const form = inForm(signedMessage(xml, keys), { name: 'SAMLResponse' })
    expect(await house.told({ form })).toEqual({ backTo: SIGNED_OUT })
    expect(house.logged.at(-1)).toContain('"upstream-logout-incomplete",{"directory":"partner","said":"Responder"}')
  })

  test.each<[string, string, (xml: string) => Partial<Told>]>([
    ['is not signed', 'signature-missing', (xml) => ({ query: signedQuery(xml, undefined, { name: 'SAMLResponse' }) })],
    ['is signed by a stranger', 'signature-invalid', (xml) => inAddress(xml, stranger)],
    ['is to nothing', 'in-response-to', (xml) => inAddress(xml.replace(/InResponseTo="[^"]*"/, 'InResponseTo="_x"'))],
    ['is of somebody else', 'issuer', (xml) => inAddress(xml.replace(PROVIDER, 'https://other.example'))],
    ['is for somebody else', 'destination', (xml) => inAddress(xml.replace(SLO, `${SLO}s`))],
    ['has no status', 'status', (xml) => inAddress(xml.replace(/<samlp:Status>.*<\/samlp:Status>/, ''))],
    ['comes from server to server', 'not-the-message', (xml) => ({ xml: inEnvelope(signedMessage(xml, keys)) })],
    ['is called a request', 'not-the-message', (xml) => ({ query: signedQuery(xml, keys, { name: 'SAMLRequest' }) })],
  ])('is refused where it %s, and the request still waits', async (_what, cause, send) => {
    const { xml } = await asked()
    expect(await house.told(send(xml))).toBe(cause)
    expect(await house.told(inAddress(xml))).toEqual({ backTo: SIGNED_OUT })
  })

  test('is that to another directory for nobody but that one', async () => {
    const other = await open({})
    const { xml } = await asked(other)
    expect(await house.told(inAddress(xml))).toBe('in-response-to')
    expect(await other.told(inAddress(xml))).toEqual({ backTo: SIGNED_OUT })
  })
})

describe.each(ways)('a request of the provider %s', (way, send) => {
  test('is about the session that it names', async () => {
    expect(await house.told(send(request()))).toMatchObject({ subject: ann.subject, sids: [ann.sid] })
  })

  test('is about all of them where it names none, and about each that it names', async () => {
    expect(await house.told(send(request({ sessions: [] })))).toMatchObject({ subject: ann.subject, sids: [] })
    const several = await house.told(send(request({ sessions: ['s1', 's2'] })))
    expect(several).toMatchObject({ sids: [ann.sid, ann.sid!.replace('s1', 's2')] })
  })

  test('is about the same person with the qualifiers that were left out, and about another one with others', async () => {
    const qualifiers = ` Format="${PERSISTENT}" NameQualifier="${PROVIDER}" SPNameQualifier="${ENTITY}"`
    expect(await house.told(send(request({ qualifiers })))).toMatchObject({ subject: ann.subject, sids: [ann.sid] })
    for (const other of [
      { qualifiers: qualifiers.replace(PROVIDER, 'https://other.example') },
      { qualifiers: qualifiers.replace(ENTITY, 'https://other.example') },
      { qualifiers: '' },
      { nameId: 'bob-for-ever' },
    ]) {
      const told = (await house.told(send(request(other)))) as UpstreamLogout
      expect(told.subject).not.toBe(ann.subject)
      // the session of the same number is somebody else's
      expect(told.sids).not.toEqual([ann.sid])
    }
  })

  test('is answered in the same way, signed, with the state as it came', async () => {
    const relayState = "it's a ~state & more"
    const told = (await house.told(send(request({ id: '_to-answer' }), keys, { relayState }))) as {
      answer(backTo: string): Promise<{ status: number; headers: Record<string, string>; body?: string }>
    }
    const { status, headers, body } = await told.answer(SIGNED_OUT)
    let xml: string
    if (way === 'from server to server') {
      expect([status, headers['content-type']]).toEqual([200, 'text/xml; charset=utf-8'])
      xml = body!
      expect(xml).toContain('<ds:SignatureValue>')
    } else {
      const url = new URL(headers['location']!)
      expect([status, url.origin + url.pathname]).toEqual([303, LEFT])
      expect(url.searchParams.get('RelayState')).toBe(relayState)
      const [, query] = /[?&](SAMLResponse=.*)&Signature=/.exec(url.href)!
      const verify = createVerify('RSA-SHA256').update(query!)
      expect(verify.verify(await house.certificate(), url.searchParams.get('Signature')!, 'base64')).toBe(true)
      xml = messageIn(url, 'SAMLResponse')
      expect(xml).toContain(`Destination="${LEFT}"`)
    }
    expect(xml).toContain('InResponseTo="_to-answer"')
    expect(xml).toContain('urn:oasis:names:tc:SAML:2.0:status:Success')
  })

  test('may name people so that only we can read it', async () => {
    const name = `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Format="${PERSISTENT}">ann-for-ever</saml:NameID>`
    const sealed = encryptedData(name, new X509Certificate(await house.certificate()).publicKey)
    const hide = (text: string) => (xml: string) =>
      xml.replace(/<saml:NameID.*<\/saml:NameID>/, () => `<saml:EncryptedID>${text}</saml:EncryptedID>`)
    expect(await house.told(send(hide(sealed)(request())))).toMatchObject({ subject: ann.subject, sids: [ann.sid] })
    const elsewhere = encryptedData(name, new X509Certificate(stranger.certificate).publicKey)
    expect(await house.told(send(hide(elsewhere)(request())))).toBe('encryption')
  })

  test('by a key that is new is believed once the metadata have it', async () => {
    const next = await makeKeys()
    const other = await open({})
    const asked = () => send(logoutXml({ id: '_new', now: other.clock.now(), destination: SLO }), next)
    expect(await other.told(asked())).toBe('signature-invalid')
    await other.publish(metadataOf([keys.certificate, next.certificate]))
    other.clock.pass(31_000)
    expect(await other.told(asked())).toMatchObject({ id: '_new' })
  })
})

test('a provider that cannot be answered is not: the person is told instead', async () => {
  const bare = metadataOf([keys.certificate]).replace(/<md:SingleLogoutService [^>]*>/, '')
  const other = await open({ metadata: bare })
  const xml = logoutXml({ id: '_r', now: other.clock.now(), destination: SLO })
  const told = (await other.told({ query: signedQuery(xml, keys) })) as { answer(to: string): Promise<object> }
  expect(await told.answer(SIGNED_OUT)).toMatchObject({ status: 303, headers: { location: SIGNED_OUT } })
})

describe('a provider that takes sign-outs by a form only', () => {
  const formsOnly = () =>
    metadataOf([keys.certificate]).replace(
      /(<md:SingleLogoutService Binding=")[^"]*/,
      (_, begin: string) => begin + BINDINGS.post,
    )
  const read = async (fields: Readonly<Record<string, string>> | undefined, name: string, at: SamlHouse) => {
    const { element, signed: proved } = await verifyMessage(postedXml(fields![name]!), [await at.certificate()])
    expect(proved).toBe(true)
    return element
  }

  test('gets a form with a signed request, and its answer is taken', async () => {
    const other = await open({ metadata: formsOnly() })
    const { url, fields } = (await other.federated.signOutThere!(ann, SIGNED_OUT))!
    expect(url).toBe(LEAVE)
    const element = await read(fields, 'SAMLRequest', other)
    expect([element.name, element.attributes.get('Destination')]).toEqual(['LogoutRequest', LEAVE])
    const inResponseTo = element.attributes.get('ID')!
    const answer = logoutAnswerXml({ now: other.clock.now(), destination: SLO, inResponseTo })
    const form = inForm(signedMessage(answer, keys), { name: 'SAMLResponse' })
    expect(await other.told({ form })).toEqual({ backTo: SIGNED_OUT })
  })

  test('is answered with a form', async () => {
    const other = await open({ metadata: formsOnly() })
    const told = (await other.told(
      WAYS['in a form']!(logoutXml({ id: '_forms', now: other.clock.now(), destination: SLO }), keys, {
        relayState: 'r',
      }),
    )) as UpstreamLogout
    const { url, fields } = (await told.answer!(SIGNED_OUT)) as Sending
    expect([url, fields!['RelayState']]).toEqual([LEFT, 'r'])
    const element = await read(fields, 'SAMLResponse', other)
    expect([element.name, element.attributes.get('InResponseTo')]).toEqual(['LogoutResponse', '_forms'])
  })

  test('is asked by an address all the same where it takes that too', async () => {
    const both = formsOnly().replace(
      '<md:SingleLogoutService',
      (one) => `${one} Binding="${BINDINGS.redirect}" Location="${LEFT}"/>${one}`,
    )
    const other = await open({ metadata: both })
    expect((await other.leave(ann))!.href.startsWith(`${LEFT}?SAMLRequest=`)).toBe(true)
  })
})

describe('a name that came encrypted', () => {
  const withKey = (certificate: string) => {
    const descriptor = `<md:KeyDescriptor use="encryption"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${derOf(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
    return metadataOf([keys.certificate]).replace('<md:SingleLogoutService', (one) => descriptor + one)
  }
  const sealedName = async (at: SamlHouse) => {
    const ours = new X509Certificate(await at.certificate()).publicKey
    return (xml: string) =>
      xml.replace(
        /<saml:NameID[^>]*>[^<]*<\/saml:NameID>/,
        (name) => `<saml:EncryptedID>${encryptedData(name, ours)}</saml:EncryptedID>`,
      )
  }
  const sent = async (at: SamlHouse, session: UpstreamSession) => messageIn((await at.leave(session))!, 'SAMLRequest')

  test('goes back so that only the provider can read it, and is the very same name', async () => {
    const sealing = await makeKeys()
    const other = await open({ metadata: withKey(sealing.certificate) })
    const session = await sessionOf(other, await sealedName(other))
    expect(session.subject).toBe(ann.subject)
    const xml = await sent(other, session)
    expect(xml).not.toContain('ann-for-ever')
    expect(xml).not.toContain('<saml:NameID')
    const expected = { issuer: ENTITY, destination: LEAVE, now: other.clock.now() }
    const element = readXml(xml, { size: 1e6, comments: 'refused' })
    const { nameId, sessionIndexes } = readLogoutRequest(element, expected, createPrivateKey(sealing.key))
    expect([nameId.value, nameId.format, sessionIndexes]).toEqual(['ann-for-ever', PERSISTENT, ['s1']])
  })

  test('goes in clear where the provider has no key for it, or did not encrypt it itself', async () => {
    const plain = await sessionOf(house, await sealedName(house))
    expect(await sent(house, plain)).toContain('>ann-for-ever</saml:NameID>')
    const other = await open({ metadata: withKey((await makeKeys()).certificate) })
    expect(await sent(other, await sessionOf(other))).toContain('>ann-for-ever</saml:NameID>')
  })
})

describe.each(ways)('a request %s is refused', (_way, send) => {
  test.each<[string, string, (xml: string) => string]>([
    ['of another provider', 'issuer', (xml) => xml.replace(PROVIDER, 'https://other.example')],
    ['of nobody', 'issuer', (xml) => xml.replace(/<saml:Issuer>.*<\/saml:Issuer>/, '<saml:Issuer/>')],
    ['for another address', 'destination', (xml) => xml.replace(SLO, 'https://other.example/logout')],
    ['for the address of sign-ins', 'destination', (xml) => xml.replace(`"${SLO}"`, `"${ACS}"`)],
    ['that is old', 'expired', (xml) => xml.replace(/IssueInstant="[^"]*"/, 'IssueInstant="2026-11-30T08:00:00Z"')],
    ['of the future', 'too-early', (xml) => xml.replace(/IssueInstant="[^"]*"/, 'IssueInstant="2026-11-30T12:00:00Z"')],
    ['without a time', 'too-early', (xml) => xml.replace(/ IssueInstant="[^"]*"/, '')],
    ['that had an end', 'expired', (xml) => xml.replace(' Version', ' NotOnOrAfter="2026-11-30T08:58:00Z" Version')],
    ['with an end that is none', 'expired', (xml) => xml.replace(' Version', ' NotOnOrAfter="soon" Version')],
    ['of another version', 'not-the-message', (xml) => xml.replace('Version="2.0"', 'Version="1.1"')],
    ['that is no sign-out', 'not-the-message', (xml) => xml.replaceAll('LogoutRequest', 'AuthnRequest')],
    ['about nobody', 'subject', (xml) => xml.replace(/<saml:NameID.*<\/saml:NameID>/, '')],
    ['about two', 'subject', (xml) => xml.replace('</saml:NameID>', '</saml:NameID><saml:NameID>b</saml:NameID>')],
    ['about a session without a number', 'subject', (xml) => xml.replace('>s1<', '> <')],
    ['with a document type', 'doctype', (xml) => `<!DOCTYPE x>${xml}`],
    ['with an entity', 'entity', (xml) => xml.replace('ann-for', '&ann;-for')],
    ['with a comment in the name', 'comment', (xml) => xml.replace('ann-for', 'ann<!-- -->-for')],
    ['with CDATA in the name', 'cdata', (xml) => xml.replace('ann-for-ever', '<![CDATA[ann]]>')],
    ['with instructions', 'processing-instruction', (xml) => xml.replace('<saml:NameID', '<?x?><saml:NameID')],
    ['with an id twice', 'duplicate-id', (xml) => xml.replace('<saml:NameID', `<saml:NameID ID="${idOf(xml)}"`)],
  ])('%s', async (_what, cause, change) => {
    const xml = request()
    const changed = change(xml)
    expect(changed).not.toBe(xml)
    // what no signer would sign is put in afterwards: it is refused before anybody looks at a signature
    const strict = ['doctype', 'entity', 'comment', 'cdata', 'processing-instruction', 'duplicate-id'].includes(cause)
    if (!strict) return expect(await house.told(send(changed))).toBe(cause)
    if (_way === 'in an address') {
      const expectation = cause === 'duplicate-id' ? 'object' : 'string'
      const told = await house.told(send(changed))
      expect(typeof told).toBe(expectation)
      if (expectation === 'string') expect(told).toBe(cause)
      return
    }
    const genuine = signedMessage(xml, keys)
    const message = change(genuine)
    const told = await house.told(_way === 'in a form' ? { form: inForm(message) } : { xml: inEnvelope(message) })
    // inside of an envelope a document type is where none may be, all the same
    expect(told).toBe(cause)
  })

  test('by a stranger', async () => {
    expect(await house.told(send(request(), stranger))).toBe('signature-invalid')
  })
})

const idOf = (xml: string): string => / ID="([^"]+)"/.exec(xml)![1]!

describe('a request in an address is refused', () => {
  const field = (query: string, name: string) => new RegExp(`(?:^|&)(${name}=[^&]*)`).exec(query)![1]!
  test.each<[string, string, (query: string, other: string) => string]>([
    ['without a signature', 'signature-missing', (query) => query.replace(/&Signature=.*/, '')],
    ['without an algorithm', 'signature-missing', (query) => query.replace(/&SigAlg=[^&]*/, '')],
    ['with an empty signature', 'signature-invalid', (query) => query.replace(/&Signature=.*/, '&Signature=')],
    ['with another state', 'signature-invalid', (query) => query.replace('RelayState=a', 'RelayState=b')],
    ['with its state taken away', 'signature-invalid', (query) => query.replace('RelayState=a&', '')],
    [
      'with the message of another',
      'signature-invalid',
      (query, other) => query.replace(field(query, 'SAMLRequest'), field(other, 'SAMLRequest')),
    ],
    [
      'with the message of another before its own',
      'query',
      (query, other) => `${field(other, 'SAMLRequest')}&${query}`,
    ],
    ['with an answer beside it', 'query', (query) => `${query}&SAMLResponse=x`],
    [
      'by SHA-1',
      'signature-invalid',
      (query) =>
        query.replace(/SigAlg=[^&]*/, `SigAlg=${encodeURIComponent('http://www.w3.org/2000/09/xmldsig#rsa-sha1')}`),
    ],
    [
      'by an HMAC',
      'signature-invalid',
      (query) =>
        query.replace(/SigAlg=[^&]*/, `SigAlg=${encodeURIComponent('http://www.w3.org/2000/09/xmldsig#hmac-sha1')}`),
    ],
    ['that is empty', 'query', () => ''],
  ])('%s', async (_what, cause, change) => {
    const [query, other] = [request(), request({ nameId: 'bob' })].map((xml) =>
      signedQuery(xml, keys, { relayState: 'a' }),
    )
    expect(await house.told({ query: change(query!, other!) })).toBe(cause)
  })

  test('with a signature inside only', async () => {
    expect(await house.told({ query: signedQuery(signedMessage(request(), keys), undefined) })).toBe(
      'signature-missing',
    )
  })

  test('as an attacker encodes it, and taken as the provider does', async () => {
    // lower case, signs that others encode, and blanks as `+`
    const encode = (text: string) =>
      encodeURIComponent(text)
        .replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
        .replaceAll('%20', '+')
    const query = signedQuery(request(), keys, { relayState: "it's a state", encode })
    expect(await house.told({ query })).toMatchObject({ subject: ann.subject })
    expect(await house.told({ query: query.replaceAll('%2b', '%2B').replace('+a+', '%20a+') })).toBe(
      'signature-invalid',
    )
  })
})

describe('a signed request in a form', () => {
  const SIGNATURE = /<ds:Signature[\s\S]*<\/ds:Signature>/
  const bare = (xml: string) => xml.replace(SIGNATURE, '')
  const evil = (xml: string) =>
    bare(xml)
      .replace('ann-for-ever', 'bob-for-ever')
      .replace(/ ID="[^"]*"/, ' ID="_evil"')
  const signatureOf = (xml: string) => SIGNATURE.exec(xml)![0]
  const inside = (xml: string, more: string) => xml.replace(/<\/samlp:LogoutRequest>$/, (end) => more + end)

  // signature wrapping in the forms that a message without an Assertion has room for
  test.each<[string, (genuine: string) => string]>([
    ['as the signature of another', (xml) => evil(xml).replace('</saml:Issuer>', (end) => end + signatureOf(xml))],
    [
      'inside of the signature of another',
      (xml) =>
        evil(xml).replace(
          '</saml:Issuer>',
          (end) =>
            end + signatureOf(xml).replace('</ds:Signature>', `<ds:Object>${bare(xml)}</ds:Object></ds:Signature>`),
        ),
    ],
    ['beside its signature in another', (xml) => inside(evil(xml), bare(xml) + signatureOf(xml))],
    ['whole inside of another', (xml) => inside(evil(xml), xml)],
    [
      'whole in the extensions of another',
      (xml) => evil(xml).replace('</saml:Issuer>', (end) => `${end}<samlp:Extensions>${xml}</samlp:Extensions>`),
    ],
    [
      'in another that has its id',
      (xml) =>
        inside(evil(xml).replace('_evil', idOf(xml)), bare(xml)).replace(
          '</saml:Issuer>',
          (end) => end + signatureOf(xml),
        ),
    ],
    ['with another one inside', (xml) => inside(xml, evil(xml))],
    ['behind another', (xml) => evil(xml) + xml],
    ['with two SignedInfo', (xml) => xml.replace(/(<ds:SignedInfo>[\s\S]*<\/ds:SignedInfo>)/, '$1$1')],
    ['with two signatures', (xml) => xml.replace(SIGNATURE, (one) => one + one)],
    ['with another name', (xml) => xml.replace('ann-for-ever', 'bob-for-ever')],
    ['with another session', (xml) => xml.replace('>s1<', '>s2<')],
    ['without the session', (xml) => xml.replace(/<samlp:SessionIndex>.*<\/samlp:SessionIndex>/, '')],
    ['without its signature', bare],
  ])('is worth nothing %s', async (_what, change) => {
    const genuine = signedMessage(request(), keys)
    const forged = change(genuine)
    expect(forged).not.toBe(genuine)
    for (const message of [{ form: inForm(forged) }, { xml: inEnvelope(forged) }]) {
      const told = await house.told(message)
      expect(told).toEqual(expect.any(String))
      expect(told).toMatch(/^(signature-(missing|misplaced|invalid)|duplicate-id|not-well-formed|soap|algorithm)$/)
    }
    expect(await house.told({ form: inForm(genuine) })).toMatchObject({ subject: ann.subject })
  })

  test('has no signature by SHA-1, by fields beside it, or by an address', async () => {
    const weak = signedMessage(request(), keys, 'http://www.w3.org/2000/09/xmldsig#sha1')
    expect(await house.told({ form: inForm(weak) })).toBe('algorithm')
    const fields = new Map([...inForm(request()), ['Signature', 'x'], ['SigAlg', 'x']])
    expect(await house.told({ form: fields, query: signedQuery(request(), keys) })).toBe('signature-missing')
  })

  test('is no base64, or too much of it', async () => {
    expect(await house.told({ form: new Map([['SAMLRequest', '<xml>']]) })).toBe('not-base64')
    expect(await house.told({ form: inForm(request({ nameId: 'a'.repeat(300_000) })) })).toBe('too-large')
    expect(await house.told({ form: new Map([['other', 'x']]) })).toBe('query')
  })
})

test('a server is told of a refusal by a fault that says nothing, and a person by a page', () => {
  const told = { query: '', form: new Map<string, string>() }
  expect(house.federated.logoutRefused!(told)).toBeUndefined()
  expect(house.federated.logoutRefused!({ ...told, xml: '<a/>' })).toMatchObject({
    status: 500,
    body: expect.stringContaining('<faultcode>soap:Client</faultcode>'),
  })
})
