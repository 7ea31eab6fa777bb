/** How a client proves more than a secret: what its certificate says (RFC 8705 §2), and to what its tokens are bound (§3). */
import { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { line } from '../words.ts'
import { type ProfileDefinition, signsRequests } from './client-profile.ts'
import type { Path, Rule } from './protocol.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----/g
const MOST_AUTHORITIES = 5

/** Undefined where the text is anything but certificates. */
function certificatesOf(pem: string): X509Certificate[] | undefined {
  const found = pem.match(CERTIFICATE) ?? []
  if (found.length === 0 || pem.replace(CERTIFICATE, '').trim() !== '') return undefined
  try {
    return found.map((one) => new X509Certificate(one))
  } catch {
    return undefined
  }
}

/** RFC 8705 §2.1.2: exactly one of them. */
export const SUBJECTS = [
  'tls_client_auth_subject_dn',
  'tls_client_auth_san_dns',
  'tls_client_auth_san_uri',
  'tls_client_auth_san_ip',
  'tls_client_auth_san_email',
] as const

export const proofFields = {
  tls_client_certificate_bound_access_tokens: z
    .boolean()
    .describe('Every token is bound to the certificate with which the app came (RFC 8705 §3)'),
  tls_client_auth_subject_dn: line.describe('As `openssl x509 -noout -subject -nameopt RFC2253` prints it'),
  // a name that begins with a dot would stand for all below it
  tls_client_auth_san_dns: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,252}$/, 'expected a host name in small letters'),
  tls_client_auth_san_uri: z.url().max(1000),
  tls_client_auth_san_ip: z.union([z.ipv4(), z.ipv6()]),
  tls_client_auth_san_email: z.email().max(254),
  tls_client_auth_ca: z
    .string()
    .max(20_000)
    .refine((pem) => {
      const found = certificatesOf(pem)
      return found !== undefined && found.length <= MOST_AUTHORITIES && found.every(({ ca }) => ca)
    }, `expected certificates of at most ${MOST_AUTHORITIES} authorities as PEM`)
    .describe("Who issues the certificates of this app, instead of the authorities in the gateway's settings"),
}

/** As a manifest has it, and as it is stored. */
export type ClientProof = Readonly<
  Partial<{ -readonly [Key in keyof typeof proofFields]: z.output<(typeof proofFields)[Key]> }>
>

/** Of what is stored, the part that is about this. */
export function proofOf(stored: ClientProof): ClientProof {
  const kept = Object.keys(proofFields).filter((key) => stored[key as keyof ClientProof] !== undefined)
  return Object.fromEntries(kept.map((key) => [key, stored[key as keyof ClientProof]]))
}

interface Registered extends ClientProof, ProfileDefinition {
  readonly token_endpoint_auth_method: string
  readonly dpop_bound_access_tokens?: boolean
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
}

const AT: Path = ['token_endpoint_auth_method']

export function proofRules(oidc: Registered): readonly Rule[] {
  const method = oidc.token_endpoint_auth_method
  const subjects = SUBJECTS.filter((key) => oidc[key] !== undefined)
  const byAuthority = method === 'tls_client_auth'
  return [
    [
      !byAuthority || subjects.length === 1,
      AT,
      'certificate-subject',
      `is \`tls_client_auth\`, expected exactly one of ${SUBJECTS.join(', ')} (RFC 8705 §2.1.2)`,
    ],
    [
      byAuthority || (subjects.length === 0 && oidc.tls_client_auth_ca === undefined),
      AT,
      'certificate-subject',
      `is \`${method}\`, but there is something about certificates for \`tls_client_auth\``,
    ],
    [
      method !== 'self_signed_tls_client_auth' || oidc.jwks === undefined || areCertified(oidc, oidc.jwks.keys),
      ['jwks'],
      'certificate-missing',
      'holds a key without its certificate; expected `x5c` in each by which no requests are signed (RFC 8705 §2.2.2)',
    ],
    [
      !(oidc.tls_client_certificate_bound_access_tokens && oidc.dpop_bound_access_tokens),
      ['dpop_bound_access_tokens'],
      'bound-twice',
      'stands beside `tls_client_certificate_bound_access_tokens`; tokens are bound to one of the two',
    ],
  ]
}

/** One that signs requests has keys for that beside its certificates. */
const areCertified = (oidc: Registered, keys: readonly Readonly<Record<string, unknown>>[]): boolean => {
  const certified = keys.filter((key) => isCertified(key['x5c']))
  const signing = keys.filter((key) => key['x5c'] === undefined)
  return certified.length > 0 && certified.length + (signsRequests(oidc) ? signing.length : 0) === keys.length
}

const isCertified = (x5c: unknown): boolean => {
  const [first] = Array.isArray(x5c) ? x5c : []
  return (
    typeof first === 'string' &&
    certificatesOf(`-----BEGIN CERTIFICATE-----\n${first}\n-----END CERTIFICATE-----`) !== undefined
  )
}
