/** The certificates that SAML apps sign and decrypt with, as they are registered here. */
import type { App } from '#catalog'
import { certificateEnds } from '#keys'
import { audienceOf, type Expiry, type Source } from '../expiry.ts'

export const appCertificates: Source = {
  name: 'app-certificates',
  async find({ catalog }) {
    return { expiring: (await catalog.apps.list()).flatMap(expiringOf) }
  },
}

function expiringOf(app: App): Expiry[] {
  if (!app.saml) return []
  const { signingCertificates, encryptionCertificate, metadataUrl } = app.saml
  const signing = signingCertificates.flatMap(certificateEnds)
  // with two of them the newer one takes over: nothing stops before the last has ended
  const last = Math.max(...signing.map(({ until }) => until))
  const fix =
    metadataUrl === undefined
      ? `put the new certificate into its manifest (\`apps export ${app.id}\`, \`apps apply\`)`
      : 'its metadata are read again by themselves; ask whoever runs the app for the new certificate there'
  return [
    ...signing
      .filter(({ until }) => until === last)
      .map(({ name, until }) => ({
        what: 'app-signing-certificate',
        of: app.id,
        at: until,
        say: `${app.name} signs with \`${name}\`: with its successor, sign-on requests and sign-outs are refused for ${audienceOf(app.audience)}`,
        fix,
      })),
    ...certificateEnds(encryptionCertificate ?? '').map(({ name, until }) => ({
      what: 'app-encryption-certificate',
      of: app.id,
      at: until,
      say: `${app.name} decrypts with \`${name}\`: with its successor, ${audienceOf(app.audience)} cannot get in`,
      fix,
    })),
  ]
}
