/** What a Response says, and whose signature is under it (SAML 2.0 Core, Profiles §4.1.4.3). */
import { hours, minutes } from '#core/clock'
import { randomId } from '#core/random'
import { canonical, signed, type Xml } from '#saml'
import { type ProbeCase, trialOf } from '../kind.ts'
import type { SamlBench, SamlRequest } from '../kinds/saml.ts'
import { ALMA, BORIS } from '../person.ts'
import type { Severity } from '../report.ts'
import { assertionXml, badlySigned, responseXml, type Said } from '../saml-message.ts'

type Row = ProbeCase<SamlBench>
const PROFILE = 'SAML Profiles §4.1.4.3'

/** A sign-on with that text as the answer. */
function answered(
  code: string,
  section: string,
  severity: Severity,
  make: (said: Said, bench: SamlBench, request: SamlRequest) => Promise<string>,
): Row {
  return {
    code,
    section,
    severity,
    async run(bench, see) {
      const browser = bench.desk.browser()
      const request = await bench.begin(browser)
      await bench.deliver(browser, request, await make(bench.rightSaid(request), bench, request))
      return trialOf((await see(browser)).who)
    },
  }
}

/** Well signed, and something wrong in it. */
const saying = (code: string, section: string, severity: Severity, change: (said: Said) => Partial<Said>): Row =>
  answered(code, section, severity, async (said, bench) => canonical(await bench.compose({ ...said, ...change(said) })))

const signedTwice = async (said: Said, { desk: { app } }: SamlBench, by: (element: Xml) => Promise<Xml> | Xml) =>
  canonical(await by(responseXml(said, await by(assertionXml(said, app)))))

/** Another person in the place of the one who was signed. */
const exchanged = (text: string): string =>
  (['id', 'username', 'name', 'givenName', 'familyName', 'mail'] as const).reduce(
    (all, field) => all.replaceAll(`>${ALMA[field]}<`, `>${BORIS[field]}<`),
    text,
  )

export const responseCases: readonly Row[] = [
  answered('unsigned', PROFILE, 'high', (said, bench) => signedTwice(said, bench, (element) => element)),
  answered('signature-of-another-key', PROFILE, 'high', (said, bench) =>
    signedTwice(said, bench, (element) => signed(element, bench.desk.material.strangePair())),
  ),
  answered('value-changed', 'XML Signature §3.2', 'high', async (said, bench) =>
    exchanged(canonical(await bench.compose(said))),
  ),
  // ATTACK: the certificate is known to everybody
  answered('key-confusion', 'XML Signature §6.3', 'high', (said, bench) =>
    signedTwice(said, bench, (element) => badlySigned(element, bench.desk.material.pair, 'hmac-sha256')),
  ),
  answered('algorithm-sha1', 'RFC 9231 §2.3.1, NIST SP 800-131A', 'low', (said, bench) =>
    signedTwice(said, bench, (element) => badlySigned(element, bench.desk.material.pair, 'rsa-sha1')),
  ),
  saying('issuer-wrong', PROFILE, 'high', () => ({ issuer: 'https://other.probe.example/metadata' })),
  saying('audience-wrong', 'SAML Core §2.5.1.4', 'high', () => ({ audience: 'https://another-app.probe.example' })),
  // §4.1.4.2 binds the provider; what the app makes of it is left to the app
  saying('audience-missing', 'SAML Profiles §4.1.4.2', 'low', () => ({ audience: undefined })),
  saying('recipient-wrong', PROFILE, 'high', () => ({ recipient: 'https://another-app.probe.example/acs' })),
  saying('destination-wrong', 'SAML Bindings §3.5.5.2', 'medium', () => ({
    destination: 'https://another-app.probe.example/acs',
  })),
  saying('in-response-to-wrong', PROFILE, 'high', () => ({ inResponseTo: `_${randomId()}` })),
  saying('unsolicited', PROFILE, 'medium', () => ({ inResponseTo: undefined })),
  saying('expired', 'SAML Core §2.5.1.2', 'high', ({ at }) => ({
    at: at - hours(2),
    notBefore: at - hours(2),
    notOnOrAfter: at - hours(1),
    confirmedUntil: at - hours(1),
  })),
  saying('confirmation-expired', PROFILE, 'medium', ({ at }) => ({ confirmedUntil: at - hours(1) })),
  saying('conditions-expired', 'SAML Core §2.5.1.2', 'medium', ({ at }) => ({
    notBefore: at - hours(2),
    notOnOrAfter: at - hours(1),
  })),
  saying('clock-skew-wide', 'SAML Core §2.5.1.2', 'low', ({ at }) => ({
    notOnOrAfter: at - minutes(10),
    confirmedUntil: at - minutes(10),
    notBefore: at - minutes(20),
  })),
  saying('not-yet-valid', 'SAML Core §2.5.1.2', 'medium', ({ at }) => ({
    notBefore: at + hours(1),
    notOnOrAfter: at + hours(2),
    confirmedUntil: at + hours(2),
  })),
  saying('status-failed', 'SAML Core §3.2.2', 'medium', () => ({ status: 'Responder' })),
  {
    code: 'replayed',
    section: 'SAML Profiles §4.1.4.5',
    severity: 'high',
    async run(bench, see) {
      const browser = bench.desk.browser()
      const request = await bench.begin(browser)
      // as it was before the answer came: a thief has what passes by, and no cookie of a session
      const before = browser.copy()
      const text = canonical(await bench.compose(bench.rightSaid(request)))
      await bench.deliver(browser, request, text)
      if ((await see(browser)).who === 'nobody') return { result: 'inconclusive', note: 'the right sign-on failed' }
      await bench.deliver(before, request, text)
      return trialOf((await see(before)).who)
    },
  },
  {
    // ATTACK: signed is `alma.guest`, for comments are not signed; who reads the text up to the comment reads `alma`
    code: 'comment-in-name',
    section: 'SAML Core §2.2.3, CERT VU#475445',
    severity: 'high',
    async run(bench, see) {
      const browser = bench.desk.browser()
      const request = await bench.begin(browser)
      const text = canonical(await bench.compose({ ...bench.rightSaid(request), suffix: SUFFIX }))
      await bench.deliver(browser, request, text.replaceAll(SUFFIX, `<!---->${SUFFIX}`))
      const { who, text: seen } = await see(browser)
      if (who === 'nobody' || seen.includes(SUFFIX)) return { result: 'refused' }
      return who === 'alma'
        ? { result: 'accepted', note: 'the name was read up to the comment' }
        : { result: 'inconclusive', note: 'somebody is in, and the check does not show who' }
    },
  },
  answered('doctype', 'SAML Core §1.3, OWASP XXE', 'medium', async (said, bench) => {
    return `<!DOCTYPE samlp:Response [<!ENTITY probe "probe">]>${canonical(await bench.compose(said))}`
  }),
  {
    code: 'entity-fetched',
    section: 'OWASP XXE',
    severity: 'high',
    async run(bench) {
      const browser = bench.desk.browser()
      const request = await bench.begin(browser)
      const path = `/entity/${randomId()}`
      const text = canonical(await bench.compose(bench.rightSaid(request)))
      const type = `<!DOCTYPE samlp:Response [<!ENTITY % probe SYSTEM "${bench.desk.ours}${path}"> %probe;]>`
      await bench.deliver(browser, request, type + text)
      return bench.fetched.has(path)
        ? { result: 'accepted', note: 'the XML parser fetched an address that the message named' }
        : { result: 'refused' }
    },
  },
]

const SUFFIX = '.guest'
