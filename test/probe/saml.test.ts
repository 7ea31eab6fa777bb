/** The lab on SAML: each broken app is named with its fault and nothing else, no correct one is blamed. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { App } from '#catalog'
import type { ProbeReport } from '#probe'
import { type Lab, openLab, taken } from '../support/lab/lab.ts'
import { type SamlFault, startSamlApp } from '../support/lab/saml-app.ts'
import { freePort } from '../support/ports.ts'
import { startPysaml2 } from '../support/pysaml2.ts'

// hundreds of requests, on a machine that has more to do
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let lab: Lab
let app: App
beforeAll(async () => {
  lab = await openLab()
  app = await lab.register({
    id: 'sample',
    name: 'Sample',
    policy: 'default',
    audience: ['staff'],
    saml: { entity_id: 'https://sample.example.com/metadata', acs_urls: ['https://sample.example.com/acs'] },
  })
})
afterAll(() => lab.close())

const probeOf = (fault?: SamlFault): Promise<ProbeReport> =>
  lab.probe(app, 'saml', async ({ idp_entity_id, sign_on_url, certificate }) => {
    const provider = { entityId: idp_entity_id!, signOn: sign_on_url!, certificate: certificate! }
    const own = await startSamlApp({ provider, ...(fault === undefined ? {} : { fault }) })
    return { target: `${own.origin}/login`, close: own.close }
  })

const wrapped = (...numbers: number[]) => numbers.map((n) => `wrapped-${n}`)

const BROKEN: Readonly<Record<SamlFault, readonly string[]>> = {
  'takes-unsigned': ['unsigned'],
  'never-looks-at-signatures': [
    'unsigned',
    'signature-of-another-key',
    'value-changed',
    'key-confusion',
    'algorithm-sha1',
    ...wrapped(1, 2, 3, 4, 5, 6, 8),
  ],
  'key-of-the-message': ['signature-of-another-key'],
  'ignores-digests': ['value-changed', ...wrapped(1, 2, 3, 4, 5, 6, 8)],
  'hmac-with-certificate': ['key-confusion'],
  'takes-sha1': ['algorithm-sha1'],
  'reads-first-assertion': wrapped(3, 4, 5, 6),
  'reads-direct-child': wrapped(1, 2, 3, 4, 5, 6),
  'reads-last-assertion': wrapped(1, 2),
  'reads-by-id': wrapped(7, 8),
  'reads-text-up-to-comments': ['comment-in-name'],
  'ignores-issuer': ['issuer-wrong'],
  'ignores-audience': ['audience-wrong', 'audience-missing'],
  'audience-if-any': ['audience-missing'],
  'ignores-recipient': ['recipient-wrong'],
  'ignores-destination': ['destination-wrong'],
  'ignores-in-response-to': ['in-response-to-wrong', 'unsolicited'],
  'takes-unsolicited': ['unsolicited'],
  'ignores-confirmation-end': ['confirmation-expired'],
  'ignores-conditions-end': ['conditions-expired'],
  'ignores-all-ends': ['expired', 'confirmation-expired', 'conditions-expired', 'clock-skew-wide'],
  'wide-clock-skew': ['clock-skew-wide'],
  'ignores-not-before': ['not-yet-valid'],
  'ignores-status': ['status-failed'],
  'takes-replays': ['replayed'],
  'takes-doctype': ['doctype'],
  'fetches-entities': ['doctype', 'entity-fetched'],
}

describe('SAML 2.0 Core and Profiles, signature wrapping: a broken app is named with its fault', () => {
  test.each(Object.entries(BROKEN))('%s', async (fault, codes) => {
    const report = await probeOf(fault as SamlFault)
    expect(report.cause).toBeUndefined()
    expect(taken(report)).toEqual(codes)
    expect(report.cases.filter(({ result }) => result === 'inconclusive')).toEqual([])
    const severities = report.cases.filter(({ result }) => result === 'accepted').map(({ severity }) => severity)
    expect(report.grade).toBe(severities.includes('high') ? 'red' : severities.includes('medium') ? 'amber' : 'green')
  })
})

describe('no correct app is blamed', () => {
  test('our own', async () => {
    const report = await probeOf()
    expect(report).toMatchObject({ grade: 'green', check: { by: 'person' } })
    expect(taken(report)).toEqual([])
    expect(report.cases.filter(({ result }) => result === 'inconclusive')).toEqual([])
  })

  test('pysaml2', async () => {
    const report = await lab.probe(app, 'saml', async ({ saml_metadata, idp_entity_id, sign_on_url, certificate }) => {
      expect(saml_metadata).toBe(idp_entity_id)
      const body = certificate!.replace(/-----[^-]+-----|\s/g, '')
      const own = await startPysaml2({
        port: await freePort(),
        idpMetadata: `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${idp_entity_id}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${sign_on_url}"/></md:IDPSSODescriptor></md:EntityDescriptor>`,
      })
      return { target: `${own.origin}/`, close: own.close }
    })
    expect(report.cause).toBeUndefined()
    // true of pysaml2 as it comes, and left to the app by the standard
    expect(taken(report)).toEqual(['algorithm-sha1', 'audience-missing'])
    expect(report.grade).toBe('green')
  })
})
