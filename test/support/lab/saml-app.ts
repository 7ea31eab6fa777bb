/** A sample app on SAML that does everything right, but for the one fault that it is given. */
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { SignedXml } from 'xml-crypto'
import { ASSERTION, childrenOf, elementsOf, PROTOCOL, pemOf, readXml, verifyResponse, type XmlElement } from '#saml'
import { redirectTo, requestXml } from '../saml-app.ts'
import { type Heard, home, type LabApp, newId, type Said, startLabServer } from './server.ts'

/** Each by itself makes one sample app. */
export type SamlFault =
  | 'takes-unsigned'
  | 'never-looks-at-signatures'
  | 'key-of-the-message'
  | 'ignores-digests'
  | 'hmac-with-certificate'
  | 'takes-sha1'
  | 'reads-first-assertion'
  | 'reads-direct-child'
  | 'reads-last-assertion'
  | 'reads-by-id'
  | 'reads-text-up-to-comments'
  | 'ignores-issuer'
  | 'ignores-audience'
  | 'audience-if-any'
  | 'ignores-recipient'
  | 'ignores-destination'
  | 'ignores-in-response-to'
  | 'takes-unsolicited'
  | 'ignores-confirmation-end'
  | 'ignores-conditions-end'
  | 'ignores-all-ends'
  | 'wide-clock-skew'
  | 'ignores-not-before'
  | 'ignores-status'
  | 'takes-replays'
  | 'takes-doctype'
  | 'fetches-entities'

export interface SamlAppOptions {
  readonly provider: { readonly entityId: string; readonly signOn: string; readonly certificate: string }
  readonly fault?: SamlFault
}

interface Read {
  readonly assertion: XmlElement
  readonly destination: string | undefined
  readonly name: string
}

const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const SIGNATURE = /<ds:Signature[ >][\s\S]*?<\/ds:Signature>/g
const insist = (holds: boolean, what: string) => {
  if (!holds) throw new Error(what)
}
const only = (element: XmlElement | undefined, name: string): XmlElement | undefined =>
  element && childrenOf(element, ASSERTION, name)[0]
const certificateOf = (text: string) => pemOf(text.replace(/\s/g, ''))

/** Whoever reads by hand what a library could have read. */
const BY_HAND: readonly SamlFault[] = [
  'takes-unsigned',
  'never-looks-at-signatures',
  'key-of-the-message',
  'ignores-digests',
  'hmac-with-certificate',
  'takes-sha1',
  'reads-first-assertion',
  'reads-direct-child',
  'reads-last-assertion',
  'reads-by-id',
  'reads-text-up-to-comments',
  'ignores-status',
  'takes-doctype',
  'fetches-entities',
]

export async function startSamlApp({ provider, fault }: SamlAppOptions): Promise<LabApp> {
  const pem = certificateOf(provider.certificate.replace(/-----[^-]+-----/g, ''))
  const asked = new Map<string, { id: string }>()
  const seen = new Set<string>()
  const sessions = new Map<string, string>()
  const has = (...faults: SamlFault[]) => fault !== undefined && faults.includes(fault)

  /** Whether that signature, wherever it stands, is good; or nothing is asked of it. */
  function isGood(source: string, signature: string): boolean {
    if (has('never-looks-at-signatures')) return true
    const info = /<ds:SignedInfo>[\s\S]*?<\/ds:SignedInfo>/.exec(signature)![0]
    const bytes = Buffer.from(info.replace('<ds:SignedInfo>', `<ds:SignedInfo xmlns:ds="${DSIG}">`))
    const value = Buffer.from(/<ds:SignatureValue>([^<]*)/.exec(signature)![1]!, 'base64')
    if (/hmac-sha256"/.test(signature))
      return has('hmac-with-certificate') && createHmac('sha256', pem).update(bytes).digest().equals(value)
    if (has('ignores-digests')) return verify('sha256', bytes, createPublicKey(pem), value)
    if (has('reads-by-id')) return verify('sha256', bytes, createPublicKey(pem), value) && someHasDigest(source, info)
    const own = /<ds:X509Certificate>([^<]*)/.exec(signature)?.[1]
    const checker = new SignedXml({ publicCert: has('key-of-the-message') && own ? certificateOf(own) : pem })
    if (/#rsa-sha1"/.test(signature) && !has('takes-sha1')) return false
    try {
      // what is inside of it may use the prefix that stands outside
      checker.loadSignature(signature.replace('<ds:Signature ', `<ds:Signature xmlns:saml="${ASSERTION}" `))
      return checker.checkSignature(source)
    } catch {
      return false
    }
  }

  /** Any element of that id will do. */
  function someHasDigest(source: string, info: string): boolean {
    const id = /URI="#([^"]*)"/.exec(info)![1]
    const wanted = /<ds:DigestValue>([^<]*)/.exec(info)![1]
    return [...elementsOf(readXml(source, { size: 1e6, comments: 'refused' }))]
      .filter(({ attributes }) => attributes.get('ID') === id)
      .some(({ start, end }) => {
        const bare = source.slice(start, end).replace(SIGNATURE, '')
        const text = bare.replace(/^<saml:Assertion (?!xmlns)/, `<saml:Assertion xmlns:saml="${ASSERTION}" `)
        return createHash('sha256').update(text).digest('base64') === wanted
      })
  }

  function byHand(posted: string): Read {
    let source = Buffer.from(posted, 'base64').toString()
    const doctype = /^<!DOCTYPE[^[]*\[[^\]]*\]>/.exec(source)?.[0]
    if (doctype) {
      insist(has('takes-doctype', 'fetches-entities'), 'a document type')
      source = source.slice(doctype.length)
    }
    const comments = has('reads-text-up-to-comments')
    const response = readXml(source, { size: 1e6, comments: comments ? 'skipped' : 'refused' })
    const words = [...elementsOf(response)].filter(
      ({ name, namespace }) => name === 'StatusCode' && namespace === PROTOCOL,
    )
    insist(words[0]?.attributes.get('Value')?.endsWith(':Success') === true || has('ignores-status'), 'status')
    const signatures = source.match(SIGNATURE) ?? []
    const unsigned = signatures.length === 0 && has('takes-unsigned')
    const good = signatures.filter((one) => isGood(source, one))
    insist(good.length > 0 || unsigned || has('never-looks-at-signatures'), 'signature')
    const all = [...elementsOf(response)].filter(
      ({ name, namespace }) => name === 'Assertion' && namespace === ASSERTION,
    )
    const direct = childrenOf(response, ASSERTION, 'Assertion')
    const signedIds = good.map((one) => /URI="#([^"]*)"/.exec(one)?.[1])
    const named = all.find(({ attributes }) => signedIds.includes(attributes.get('ID')))
    const careful = all.length === 1 && direct.length === 1 && signatures.length === good.length
    const loose = unsigned || has('never-looks-at-signatures', 'ignores-digests', 'reads-direct-child')
    const chosen = has('reads-first-assertion')
      ? all[0]
      : has('reads-last-assertion')
        ? all.at(-1)
        : has('reads-by-id')
          ? (named ?? (careful ? all[0] : undefined))
          : loose || careful
            ? direct[0]
            : undefined
    insist(chosen !== undefined, 'not one assertion')
    const text = source.slice(chosen!.start, chosen!.end)
    const first = /<saml:AttributeValue[^>]*>([^<]*)/.exec(text)![1]!
    const value = only(only(only(chosen, 'AttributeStatement'), 'Attribute'), 'AttributeValue')!.text
    return { assertion: chosen!, destination: response.attributes.get('Destination'), name: comments ? first : value }
  }

  async function read(posted: string): Promise<Read> {
    if (fault && BY_HAND.includes(fault)) return byHand(posted)
    const { assertion, around } = await verifyResponse(posted, { certificates: [pem] })
    const name = [...elementsOf(assertion)].find((one) => one.name === 'AttributeValue')!.text
    return { assertion, destination: around.destination, name }
  }

  async function consume({ form, cookie }: Heard, origin: string): Promise<Said> {
    const posted = form.get('SAMLResponse') ?? ''
    if (has('fetches-entities')) {
      const system = /SYSTEM "([^"]+)"/.exec(Buffer.from(posted, 'base64').toString())?.[1]
      if (system) await fetch(system)
    }
    const acs = `${origin}/acs`
    const { assertion, destination, name } = await read(posted)
    const now = Date.now()
    const skew = has('wide-clock-skew') ? 15 * 60_000 : 60_000
    const ends = (element: XmlElement | undefined) =>
      Date.parse(element?.attributes.get('NotOnOrAfter') ?? '') + skew > now
    const data = childrenOf(
      only(only(assertion, 'Subject'), 'SubjectConfirmation')!,
      ASSERTION,
      'SubjectConfirmationData',
    )[0]
    const conditions = only(assertion, 'Conditions')
    insist(only(assertion, 'Issuer')?.text === provider.entityId || has('ignores-issuer'), 'issuer')
    insist(destination === acs || has('ignores-destination'), 'destination')
    insist(data?.attributes.get('Recipient') === acs || has('ignores-recipient'), 'recipient')
    const audience = only(only(conditions, 'AudienceRestriction'), 'Audience')?.text
    insist(
      audience === `${origin}/metadata` ||
        has('ignores-audience') ||
        (audience === undefined && has('audience-if-any')),
      'audience',
    )
    insist(ends(data) || has('ignores-confirmation-end', 'ignores-all-ends'), 'the confirmation has ended')
    insist(ends(conditions) || has('ignores-conditions-end', 'ignores-all-ends'), 'the conditions have ended')
    const begins = Date.parse(conditions?.attributes.get('NotBefore') ?? '')
    insist(begins <= now + 60_000 || has('ignores-not-before'), 'not yet')
    const began = asked.get(cookie('tx') ?? '')
    const reply = data?.attributes.get('InResponseTo')
    insist(
      (began !== undefined && reply === began.id) ||
        has('ignores-in-response-to') ||
        (reply === undefined && has('takes-unsolicited')),
      'in response to nothing',
    )
    const id = assertion.attributes.get('ID')!
    insist(!seen.has(id) || has('takes-replays'), 'seen before')
    seen.add(id)
    const key = newId()
    sessions.set(key, name)
    return { location: '/', cookies: [`sid=${key}; Path=/; HttpOnly`] }
  }

  return startLabServer(async (heard, origin) => {
    switch (heard.url.pathname) {
      case '/':
        return home(sessions.get(heard.cookie('sid') ?? ''))
      case '/login': {
        const [key, id] = [newId(), `_${newId()}`]
        asked.set(key, { id })
        const attributes = { AssertionConsumerServiceURL: `${origin}/acs` }
        const xml = requestXml(origin, { id, issuer: `${origin}/metadata`, destination: provider.signOn, attributes })
        return {
          location: redirectTo(provider.signOn, xml, { relayState: '/' }),
          cookies: [`tx=${key}; Path=/; HttpOnly`],
        }
      }
      case '/acs':
        return consume(heard, origin)
      default:
        return { status: 404 }
    }
  })
}
