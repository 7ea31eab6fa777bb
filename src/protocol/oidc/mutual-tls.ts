/** Clients that come with a certificate (RFC 8705): who they are, and to what their tokens are bound. */
import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { clientCertificateOf, clientChainOf, requestContext } from '#http'
import { isCurrent, isForClients, pathOf } from './certificates/path.ts'
import { isTakenBack, type RevocationList, revocationFault } from './certificates/revocation-lists.ts'

type Features = NonNullable<Configuration['features']>

/** What the settings say about certificates of clients. */
export interface CertificateSettings {
  /** Who issues them, unless the app names its own. */
  readonly authorities: readonly X509Certificate[]
  /** So many others may stand between one of them and a client. */
  readonly intermediates: number
  /** What they have taken back; undefined where nobody looks. */
  readonly revocation?: readonly RevocationList[] | undefined
  /** Public origin where certificates are asked for, where it is another than the issuer. */
  readonly url?: string | undefined
}

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

/** With which the client came: one whose time is over is none, whoever vouches for it. */
export function certificateOf(request: IncomingMessage, clock: Clock): X509Certificate | undefined {
  const certificate = clientCertificateOf(request)
  return certificate && isCurrent(certificate, clock.now()) ? certificate : undefined
}

interface Rooms {
  readonly clock: Clock
  readonly log: Log
}
const told = new WeakSet<IncomingMessage>()

/** To which tokens are bound, and with which they are shown: one that was taken back since is none either. */
export function bindingCertificateOf(
  request: IncomingMessage,
  settings: CertificateSettings | undefined,
  { clock, log }: Rooms,
): X509Certificate | undefined {
  const certificate = certificateOf(request, clock)
  if (!certificate || !settings?.revocation || !isTakenBack(certificate, settings.revocation)) return certificate
  if (!told.has(request))
    log.warn('client-certificate-refused', { request: requestContext(request).id, why: 'revoked' })
  told.add(request)
  return undefined
}

export function mutualTls(
  settings: CertificateSettings | undefined,
  { clock, log }: Rooms,
): NonNullable<Features['mTLS']> {
  if (!settings) return { enabled: false }
  return {
    enabled: true,
    certificateBoundAccessTokens: true,
    selfSignedTlsClientAuth: true,
    tlsClientAuth: true,
    getCertificate: ({ req, oidc }) =>
      // who shows who it is by one is looked at below, with all that stands above it
      oidc.client?.clientAuthMethod === 'tls_client_auth'
        ? certificateOf(req, clock)
        : bindingCertificateOf(req, settings, { clock, log }),
    certificateAuthorized(ctx) {
      const certificate = certificateOf(ctx.req, clock)
      if (certificate === undefined || !isForClients(certificate)) return false
      const { client } = ctx.oidc
      const own = client?.['tls_client_auth_ca']
      const { intermediates, revocation } = settings
      const now = clock.now()
      const path = pathOf(certificate, {
        authorities: typeof own === 'string' ? authoritiesOf(own) : settings.authorities,
        sent: intermediates > 0 ? clientChainOf(ctx.req) : [],
        ...{ intermediates, now },
      })
      // the lists are those of the settings' authorities; one of an app's own may have its list there too
      const why = path && revocation && revocationFault(path, revocation, { now, strict: own === undefined })
      if (why !== undefined)
        log.warn('client-certificate-refused', { app: client?.clientId, request: requestContext(ctx.req).id, why })
      return path !== undefined && why === undefined
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
