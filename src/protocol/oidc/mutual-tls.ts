/** Clients that come with a certificate (RFC 8705): who they are, and to what their tokens are bound. */
import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '#core/clock'
import { clientCertificateOf } from '#http'

type Features = NonNullable<Configuration['features']>

/** What the settings say about certificates of clients. */
export interface CertificateSettings {
  /** Who issues them, unless the app names its own. */
  readonly authorities: readonly X509Certificate[]
  /** Public origin where certificates are asked for, where it is another than the issuer. */
  readonly url?: string | undefined
}

/** RFC 5280 §4.2.1.12: for TLS clients; for anything. */
const CLIENT_USES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0']

/** The endpoints that programs use, by their names in the discovery document (RFC 8705 §5). */
const ALIASES = Object.freeze({
  token_endpoint: '/oauth2/token',
  introspection_endpoint: '/oauth2/introspection',
  revocation_endpoint: '/oauth2/revocation',
  userinfo_endpoint: '/oauth2/userinfo',
  pushed_authorization_request_endpoint: '/oauth2/request',
  device_authorization_endpoint: '/oauth2/device/auth',
  backchannel_authentication_endpoint: '/oauth2/ciba',
})

export const endpointAliases = (url: string): object =>
  Object.fromEntries(Object.entries(ALIASES).map(([name, path]) => [name, `${url}${path}`]))

const METHODS = ['tls_client_auth', 'self_signed_tls_client_auth'] as const
/** Of clients that come so; none where no certificate could reach us. */
export const certificateMethods = (settings: CertificateSettings | undefined) => (settings ? METHODS : [])

/** Whether its time is now. */
const isCurrent = (certificate: X509Certificate, clock: Clock): boolean => {
  const now = clock.now()
  return now >= certificate.validFromDate.getTime() && now <= certificate.validToDate.getTime()
}

/** With which the client came: one whose time is over is none, whoever vouches for it. */
export function certificateOf(request: IncomingMessage, clock: Clock): X509Certificate | undefined {
  const certificate = clientCertificateOf(request)
  return certificate && isCurrent(certificate, clock) ? certificate : undefined
}

export function mutualTls(settings: CertificateSettings | undefined, clock: Clock): NonNullable<Features['mTLS']> {
  if (!settings) return { enabled: false }
  return {
    enabled: true,
    certificateBoundAccessTokens: true,
    selfSignedTlsClientAuth: true,
    tlsClientAuth: true,
    getCertificate: (ctx) => certificateOf(ctx.req, clock),
    certificateAuthorized(ctx) {
      const certificate = certificateOf(ctx.req, clock)
      const own = ctx.oidc.client?.['tls_client_auth_ca']
      const authorities = typeof own === 'string' ? authoritiesOf(own) : settings.authorities
      return certificate !== undefined && isForClients(certificate) && authorities.some(issued(certificate, clock))
    },
    certificateSubjectMatches(ctx: KoaContextWithOIDC, property, expected) {
      const certificate = certificateOf(ctx.req, clock)
      return certificate !== undefined && (SUBJECTS[property]?.(certificate, expected) ?? false)
    },
  }
}

/** Every certificate of a PEM text. */
export const authoritiesOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one))

/** An authority is no client, and a certificate for servers or mail is none for clients. */
const isForClients = ({ ca, keyUsage }: X509Certificate): boolean =>
  !ca && (keyUsage === undefined || keyUsage.length === 0 || keyUsage.some((use) => CLIENT_USES.includes(use)))

/**
 * Whether this very authority has signed it. No chain is followed: who issues certificates of clients stands in the list, so
 * that there is nothing about paths to get wrong (RFC 5280 §6), and another branch of the same root is not let in by it.
 */
const issued = (certificate: X509Certificate, clock: Clock) => (authority: X509Certificate) =>
  authority.ca &&
  isCurrent(authority, clock) &&
  certificate.checkIssued(authority) &&
  certificate.verify(authority.publicKey)

/** RFC 8705 §2.1.2. Compared by OpenSSL where it can, which knows what is inside a name and what only looks so. */
const SUBJECTS: Readonly<Record<string, (certificate: X509Certificate, expected: string) => boolean>> = Object.freeze({
  tls_client_auth_subject_dn: ({ subject }, expected) =>
    namesOf(subject, '\n').reverse().join() === namesOf(expected, ',').join(),
  tls_client_auth_san_dns: (certificate, expected) =>
    certificate.checkHost(expected, { subject: 'never', wildcards: false }) !== undefined,
  tls_client_auth_san_ip: (certificate, expected) => certificate.checkIP(expected) !== undefined,
  tls_client_auth_san_email: (certificate, expected) =>
    certificate.checkEmail(expected, { subject: 'never' }) !== undefined,
  // Node puts a name in quotes that has anything in it by which it could be taken for two
  tls_client_auth_san_uri: ({ subjectAltName = '' }, expected) =>
    /^[^",\s]+$/.test(expected) &&
    subjectAltName.split(', ').includes(`URI:${expected}`) &&
    !subjectAltName.includes('"'),
})

/** The parts of a name (RFC 4514 §2), in the order in which they stand there, each in one spelling. */
const namesOf = (text: string, separator: ',' | '\n'): string[] =>
  text
    .split(separator === ',' ? /(?<!\\),/ : separator)
    .map((part) => part.trim())
    .map((part) =>
      part.replace(/((?:\\[0-9A-Fa-f]{2})+)/g, (bytes) => Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString()),
    )
