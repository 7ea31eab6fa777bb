/** The lab on OpenID Connect: each broken app is named with its fault and nothing else, no correct one is blamed. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { App } from '#catalog'
import type { ProbeReport } from '#probe'
import { type Lab, openLab, taken } from '../support/lab/lab.ts'
import { type OidcFault, startOidcApp } from '../support/lab/oidc-app.ts'
import { startOpenidClientApp } from '../support/lab/openid-client-app.ts'

// hundreds of requests, on a machine that has more to do
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

let lab: Lab
let app: App
/** Without sign-outs. */
let plain: App
beforeAll(async () => {
  lab = await openLab()
  app = await lab.register({
    id: 'sample',
    name: 'Sample',
    policy: 'default',
    audience: ['staff'],
    oidc: {
      redirect_uris: ['https://sample.example.com/callback'],
      backchannel_logout_uri: 'https://sample.example.com/backchannel',
    },
  })
  const more = { policy: 'default', audience: ['staff'] }
  plain = await lab.register({ id: 'plain', ...more, oidc: { redirect_uris: ['https://plain.example.com/callback'] } })
})
afterAll(() => lab.close())

const probeOf = (fault?: OidcFault, userinfo?: boolean): Promise<ProbeReport> =>
  lab.probe(app, 'oidc', async ({ issuer, client_id, client_secret }) => {
    const own = await startOidcApp({
      issuer: () => issuer!,
      clientId: client_id!,
      secret: () => client_secret!,
      ...(fault === undefined ? {} : { fault }),
      ...(userinfo === undefined ? {} : { userinfo }),
    })
    return { target: `${own.origin}/login`, close: own.close }
  })

/** Without the signature everything that is signed by nobody is believed. */
const UNSIGNED = ['alg-none', 'key-confusion', 'key-confusion-trimmed', 'signature-of-another-key']
const ID_TOKEN = [
  'nonce-wrong',
  'nonce-missing',
  'iss-wrong',
  'iss-missing',
  'aud-wrong',
  'aud-missing',
  'azp-wrong',
  'expired',
  'exp-missing',
  'not-yet-valid',
  'sub-missing',
]

const BROKEN: Readonly<Record<OidcFault, readonly string[]>> = {
  'ignores-state': ['state-wrong', 'state-missing'],
  'takes-no-state': ['state-missing'],
  'state-for-all-browsers': ['state-of-another-browser'],
  'keeps-state': ['callback-replayed'],
  'ignores-response-iss': ['response-iss-wrong'],
  'no-pkce': ['pkce-missing'],
  'plain-pkce': ['pkce-missing'],
  'forgets-verifier': ['pkce-missing'],
  'no-pkce-no-nonce': ['pkce-missing', 'code-unbound'],
  'ignores-nonce': ['nonce-wrong', 'nonce-missing'],
  'takes-no-nonce': ['nonce-missing'],
  'ignores-iss': ['iss-wrong', 'iss-missing'],
  'ignores-aud': ['aud-wrong', 'aud-missing', 'azp-wrong'],
  'any-of-aud': ['azp-wrong'],
  'ignores-exp': ['expired', 'exp-missing'],
  'takes-no-exp': ['exp-missing'],
  'ignores-nbf': ['not-yet-valid'],
  'takes-no-sub': ['sub-missing', 'userinfo-of-another'],
  'accepts-alg-none': ['alg-none'],
  'accepts-empty-signature': ['signature-empty'],
  'hmac-with-public-key': ['key-confusion', 'key-confusion-trimmed'],
  'ignores-signature': UNSIGNED,
  'trusts-key-in-header': ['key-in-header'],
  'trusts-key-address': ['key-by-address'],
  'ignores-userinfo-sub': ['userinfo-of-another'],
  'userinfo-only': [...ID_TOKEN, ...UNSIGNED, 'userinfo-of-another', 'logout-ignored'],
  'logout-does-nothing': ['logout-ignored'],
  'logout-unsigned': ['logout-alg-none'],
  'logout-ignores-signature': ['logout-alg-none', 'logout-signature-of-another-key'],
  'logout-ignores-iss': ['logout-iss-wrong'],
  'logout-ignores-aud': ['logout-aud-wrong'],
  'logout-ignores-events': ['logout-events-missing'],
  'logout-takes-nonce': ['logout-nonce-present'],
  'logout-ignores-exp': ['logout-expired'],
  'logout-ends-all': ['logout-nobody-named', 'logout-other-session', 'logout-other-person'],
  'logout-takes-nobody-for-all': ['logout-nobody-named'],
  'logout-sid-or-nobody': ['logout-other-session'],
}

describe('OpenID Connect Core, RFC 9700, Back-Channel Logout: a broken app is named with its fault', () => {
  test.each(Object.entries(BROKEN))('%s', async (fault, codes) => {
    const report = await probeOf(fault as OidcFault)
    expect(report.cause).toBeUndefined()
    expect(taken(report)).toEqual(codes)
    const severities = report.cases.filter(({ result }) => result === 'accepted').map(({ severity }) => severity)
    const doubt = report.cases.some(({ result }) => result === 'inconclusive')
    expect(report.grade).toBe(
      severities.includes('high') ? 'red' : severities.includes('medium') || doubt ? 'amber' : 'green',
    )
  })
})

describe('no correct app is blamed', () => {
  test.each<[string, () => Promise<ProbeReport>]>([
    ['our own, with userinfo', () => probeOf()],
    ['our own, by the ID Token alone', () => probeOf(undefined, false)],
  ])('%s', async (_, run) => {
    const report = await run()
    expect(report).toMatchObject({ grade: 'green', check: { by: 'person' } })
    expect(taken(report)).toEqual([])
    expect(report.cases.filter(({ result }) => result === 'inconclusive')).toEqual([])
  })

  test.each<[boolean, readonly string[]]>([
    [true, []],
    // what Core §3.1.3.7 (6) allows is said, and costs nothing
    [false, ['signature-of-another-key']],
  ])('openid-client, checking signatures: %s', async (checksSignatures, codes) => {
    const report = await lab.probe(plain, 'oidc', async ({ issuer, client_id, client_secret }) => {
      const own = await startOpenidClientApp({
        issuer: () => issuer!,
        clientId: client_id!,
        secret: () => client_secret!,
        checksSignatures,
      })
      return { target: `${own.origin}/login`, close: own.close }
    })
    expect(report).toMatchObject({ grade: 'green', check: { by: 'person' } })
    expect(taken(report)).toEqual(codes)
  })
})
