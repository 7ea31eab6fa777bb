/** Tokens of the app are bound to a key, and it does not show that it has one (RFC 9449 §5, RFC 8705 §3). */
import type { Cause } from '../cause.ts'
import { CLOCKS, register, snippet } from '../fixes.ts'

const FAULTS = {
  'proof-missing': {
    cause: 'The app asks for a token without a DPoP proof, which it is registered to send.',
    fix: 'in the app: switch DPoP on',
    setting: 'oidc.dpop_bound_access_tokens: false',
  },
  'certificate-missing': {
    cause: 'The app asks for a token without a client certificate, to which its tokens are bound.',
    fix: 'in the app: send the certificate, and use the endpoints of `mtls_endpoint_aliases`',
    setting: 'oidc.tls_client_certificate_bound_access_tokens: false',
  },
  'certificate-none': {
    cause: 'The app came without a certificate that holds now, by which it is registered to authenticate.',
    fix: 'in the app: send the certificate, and use the endpoints of `mtls_endpoint_aliases`; behind a proxy, let it set the header',
    setting: 'another oidc.token_endpoint_auth_method',
  },
  'certificate-other': {
    cause: 'The certificate of the app has another name or authority than is registered, or is another one.',
    fix: 'in the app: send the certificate that is registered; `openssl x509 -noout -text` shows its names, its issuer and its use',
    setting: 'the new certificate or its name',
  },
} as const

export const keyNotProved: Cause = {
  code: 'key-not-proved',
  find({ app, seen: { binding } }) {
    if (binding === undefined) return undefined
    if (binding === 'proof-wrong')
      return {
        cause: 'The DPoP proof of the app is not for this request: another address, method or token, or another key.',
        fix: [
          'in the app: the proof names the address of the endpoint as the discovery document has it (htu)',
          snippet(app),
          CLOCKS,
        ],
      }
    const { cause, fix, setting } = FAULTS[binding]
    return { cause, fix: [fix, snippet(app), register(app, `${setting}, if the app is right,`)] }
  },
}
