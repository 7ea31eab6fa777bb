/** What a certificate says of itself. Whether it is to be believed is for whoever uses it. */
import { X509Certificate } from 'node:crypto'
import type { Instant } from '#core/clock'

export interface CertificateEnd {
  /** The common name of its subject, or else its fingerprint. */
  readonly name: string
  readonly until: Instant
}

const EACH = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** Of each certificate in the text (PEM), in their order; those that cannot be read are left out. */
export function certificateEnds(pem: string): CertificateEnd[] {
  return (pem.match(EACH) ?? []).flatMap((text) => {
    try {
      const { subject, fingerprint256, validTo } = new X509Certificate(text)
      const common = /^CN=(.+)$/m.exec(subject)?.[1]
      return [{ name: common ?? fingerprint256, until: Date.parse(validTo) }]
    } catch {
      return []
    }
  })
}
