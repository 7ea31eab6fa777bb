/** A SAML identity provider that says what a case wants it to say (SAML 2.0 Profiles §4.1, Web Browser SSO). */
import { randomId } from '#core/random'
import {
  BINDINGS,
  canonical,
  issuerOf,
  keyInfo,
  METADATA_TYPE,
  PROTOCOL,
  postedXml,
  readRedirect,
  readXml,
  signed,
  type Xml,
  xml,
} from '#saml'
import type { Browser, Stop } from '../browser.ts'
import { type Bench, type Desk, onTarget, Stuck, stuckAt } from '../kind.ts'
import { ALMA } from '../person.ts'
import { assertionXml, GOOD_FOR, responseXml, type Said } from '../saml-message.ts'

/** What the app asked for. */
export interface SamlRequest {
  readonly id: string
  /** Entity id. */
  readonly issuer: string
  readonly acs: URL
  readonly relayState: string | undefined
}

export interface SamlBench extends Bench {
  readonly desk: Desk
  /** Addresses of the probe that only an XML parser would have asked for. */
  readonly fetched: ReadonlySet<string>
  /** Opens the start of the sign-on. Throws `Stuck`. */
  begin(browser: Browser): Promise<SamlRequest>
  /** Everything right. */
  rightSaid(request: SamlRequest): Said
  /** Response and Assertion, both signed. */
  compose(said: Said): Promise<Xml>
  deliver(browser: Browser, request: SamlRequest, text: string): Promise<Stop>
}

const SIZE = 64 * 1024

export async function openSaml(desk: Desk): Promise<SamlBench> {
  const { ours, clock, material, app } = desk
  const entityId = `${ours}/saml/metadata`
  const fetched = new Set<string>()
  return {
    desk,
    fetched,
    values: {
      saml_metadata: entityId,
      idp_entity_id: entityId,
      sign_on_url: `${ours}/saml/sso`,
      certificate: `\n${material.pair.certificate}`,
    },

    async answer({ url: { pathname } }) {
      if (pathname === '/saml/metadata')
        return { type: METADATA_TYPE, body: metadata(entityId, `${ours}/saml/sso`, material.pair.certificate) }
      if (!pathname.startsWith('/entity/')) return undefined
      fetched.add(pathname)
      return { type: 'text/plain', body: '' }
    },

    async begin(browser) {
      const stop = await browser.open(desk.target)
      if (stop.end !== 'ours' || stop.url.pathname !== '/saml/sso') throw stuckAt(stop, '/saml/sso')
      return readRequest(stop.url, stop.fields, desk)
    },

    rightSaid({ id, issuer, acs }) {
      const at = clock.now()
      return {
        person: ALMA,
        suffix: '',
        issuer: entityId,
        audience: issuer,
        destination: acs.href,
        recipient: acs.href,
        inResponseTo: id,
        at,
        notBefore: at - 60_000,
        notOnOrAfter: at + GOOD_FOR,
        confirmedUntil: at + GOOD_FOR,
        status: 'Success',
        assertionId: `_${randomId()}`,
      }
    },

    compose: async (said) =>
      signed(responseXml(said, await signed(assertionXml(said, app), material.pair)), material.pair),

    deliver: (browser, { acs, relayState }, text) =>
      browser.post(acs, {
        SAMLResponse: Buffer.from(text).toString('base64'),
        ...(relayState === undefined ? {} : { RelayState: relayState }),
      }),
  }
}

/** Throws `Stuck` with what is to be mended at the test copy. */
export async function signOnRight(bench: SamlBench): Promise<{ browser: Browser; landed: Stop }> {
  const browser = bench.desk.browser()
  const request = await bench.begin(browser)
  const landed = await bench.deliver(browser, request, canonical(await bench.compose(bench.rightSaid(request))))
  if (landed.end === 'page' && landed.status >= 400)
    throw new Stuck(
      'response-refused',
      `${landed.url.pathname} answered the right Response with ${landed.status}: see its log, and whether it has the probe's metadata`,
    )
  return { browser, landed }
}

function readRequest(url: URL, fields: URLSearchParams, desk: Desk): SamlRequest {
  try {
    const redirected = url.searchParams.has('SAMLRequest')
    const incoming = redirected ? readRedirect(url.search.slice(1), 'SAMLRequest') : undefined
    const element = readXml(incoming?.xml ?? postedXml(fields.get('SAMLRequest') ?? ''), {
      size: SIZE,
      comments: 'skipped',
    })
    const issuer = issuerOf(element)
    const id = element.attributes.get('ID')
    if (element.name !== 'AuthnRequest' || issuer === undefined || id === undefined)
      throw new Stuck('request-unreadable', 'the test copy sent no AuthnRequest with an Issuer and an ID')
    const asked = element.attributes.get('AssertionConsumerServiceURL')
    const acs = asked === undefined ? onTarget(desk.app.saml!.acsUrls[0]!, desk) : URL.parse(asked)
    // INVARIANT: what the test copy says does not widen whom the probe sends to
    if (!acs || acs.origin !== desk.target.origin)
      throw new Stuck('redirect-elsewhere', `the answer is wanted at ${acs?.origin ?? 'no address'}, not at the target`)
    return { id, issuer, acs, relayState: incoming?.relayState ?? fields.get('RelayState') ?? undefined }
  } catch (error) {
    if (error instanceof Stuck) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Stuck('request-unreadable', `the AuthnRequest of the test copy cannot be read: ${why}`)
  }
}

const metadata = (entityId: string, signOn: string, certificate: string): string =>
  canonical(
    xml(
      'md:EntityDescriptor',
      { entityID: entityId },
      xml(
        'md:IDPSSODescriptor',
        { protocolSupportEnumeration: PROTOCOL, WantAuthnRequestsSigned: 'false' },
        xml('md:KeyDescriptor', { use: 'signing' }, keyInfo(certificate)),
        ...(['redirect', 'post'] as const).map((binding) =>
          xml('md:SingleSignOnService', { Binding: BINDINGS[binding], Location: signOn }),
        ),
      ),
    ),
  )
