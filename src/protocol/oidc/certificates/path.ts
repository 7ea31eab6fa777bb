/**
 * From the certificate of a client to an authority that the operator named (RFC 5280 §6), over authorities in between where the
 * settings allow any. What a path says that is not understood here ends it.
 */
import type { X509Certificate } from 'node:crypto'
import type { Instant } from '#core/clock'
import { type Der, type Extension, readAll, readExtensions, readOne, TAG } from './der.ts'

/** RFC 5280 §4.2.1.12: for TLS clients; for anything. */
const CLIENT_USES = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0']
/** Extensions of authorities: key usage and the uses of keys are read by OpenSSL, the limit of a path here. */
const ID = Object.freeze({
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  keyUses: '551d25',
  nameConstraints: '551d1e',
})
const UNDERSTOOD: ReadonlySet<string> = new Set([ID.basicConstraints, ID.keyUsage, ID.keyUses])
/** ATTACK: each certificate that somebody sends costs a signature check for each that it could have signed. */
const MOST_SENT = 6

/** Whether its time is now. */
export const isCurrent = (certificate: X509Certificate, now: Instant): boolean =>
  now >= certificate.validFromDate.getTime() && now <= certificate.validToDate.getTime()

const isUsedForClients = ({ keyUsage }: X509Certificate): boolean =>
  keyUsage === undefined || keyUsage.length === 0 || keyUsage.some((use) => CLIENT_USES.includes(use))

/** An authority is no client, and a certificate for servers or mail is none for clients. */
export const isForClients = (certificate: X509Certificate): boolean => !certificate.ca && isUsedForClients(certificate)

const issued = (certificate: X509Certificate, authority: X509Certificate): boolean =>
  certificate.checkIssued(authority) && certificate.verify(authority.publicKey)

export interface PathQuestion {
  readonly authorities: readonly X509Certificate[]
  /** What the client sent besides its own, in any order. Nobody has looked at them. */
  readonly sent: readonly X509Certificate[]
  /** So many authorities may stand in between. */
  readonly intermediates: number
  readonly now: Instant
}

/** The client's first, then who signed it, up to the authority that was named. Undefined: there is no such path. */
export function pathOf(certificate: X509Certificate, question: PathQuestion): readonly X509Certificate[] | undefined {
  const { authorities, intermediates, now } = question
  const between = intermediates > 0 ? question.sent.slice(0, MOST_SENT).filter((one) => isIntermediate(one, now)) : []

  function from(path: readonly X509Certificate[]): readonly X509Certificate[] | undefined {
    const last = path.at(-1)!
    const depth = path.length - 1
    const signs = (one: X509Certificate) => issued(last, one) && (depth === 0 || longestBelow(one) >= depth)
    const named = authorities.find((one) => one.ca && isCurrent(one, now) && signs(one))
    if (named) return [...path, named]
    if (depth >= intermediates) return undefined
    for (const one of between) {
      const found = !path.includes(one) && signs(one) ? from([...path, one]) : undefined
      if (found) return found
    }
    return undefined
  }
  return from([certificate])
}

/** An authority that nobody named: OpenSSL looks whether it is one and may sign; what else it says must be understood. */
function isIntermediate(certificate: X509Certificate, now: Instant): boolean {
  if (!certificate.ca || !isCurrent(certificate, now) || !isUsedForClients(certificate)) return false
  const extensions = extensionsOf(certificate)
  // RFC 5280 §4.2: one that is critical and not known; limits of names are not compared here, critical or not
  return !extensions.some(({ id, critical }) => id === ID.nameConstraints || (critical && !UNDERSTOOD.has(id)))
}

/** RFC 5280 §4.2.1.9 pathLenConstraint: so many authorities may stand below it. */
function longestBelow(authority: X509Certificate): number {
  const constraints = extensionsOf(authority).find(({ id }) => id === ID.basicConstraints)
  const limit = constraints && readAll(readOne(constraints.value)).find(({ tag }) => tag === TAG.integer)
  return limit === undefined ? Number.POSITIVE_INFINITY : limit.content.readUIntBE(0, limit.content.length)
}

/** Of the part that is signed: after the version, at the end, in brackets of its own. */
const EXTENSIONS = 0xa3
const VERSION = 0xa0

const signedPart = ({ raw }: X509Certificate): Der[] => {
  const [signed] = readAll(readOne(raw))
  const parts = readAll(signed!)
  return parts[0]?.tag === VERSION ? parts.slice(1) : parts
}

function extensionsOf(certificate: X509Certificate): Extension[] {
  const extensions = signedPart(certificate).find(({ tag }) => tag === EXTENSIONS)
  return extensions ? readExtensions(readOne(extensions.content)) : []
}

/** As revocation lists have it: the number of the certificate, and the names of it and of who issued it, byte for byte. */
export function namesIn(certificate: X509Certificate): { serial: string; issuer: Buffer; subject: Buffer } {
  const [serial, , issuer, , subject] = signedPart(certificate)
  return { serial: serial!.content.toString('hex'), issuer: issuer!.whole, subject: subject!.whole }
}
