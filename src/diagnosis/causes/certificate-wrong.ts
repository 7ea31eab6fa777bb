/** No key that the app is registered with made the signature. */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say } from '../sentence.ts'

export const certificateWrong: Cause = {
  code: 'certificate-wrong',
  find({ app, seen: { signature } }) {
    if (signature?.fault !== 'wrong') return undefined
    const { of, keys } = signature
    const { saml, oidc } = app
    return {
      cause: say`None of the ${keys} registered keys of the app made the signature of its ${of}: likely it signs with a new one.`,
      fix: saml
        ? [
            ...(saml.metadataUrl === undefined
              ? []
              : [
                  say`see that ${saml.metadataUrl} lists the certificate that the app signs with: it is read every six hours`,
                ]),
            register(app, 'the certificate that the app signs with, as PEM, under saml.signing_certificates'),
          ]
        : [
            ...(oidc?.jwksUri === undefined
              ? [register(app, 'the public key that the app signs with under oidc.jwks')]
              : [say`see that ${oidc.jwksUri} lists the public key that the app signs with`]),
          ],
      likely: true,
    }
  },
}
