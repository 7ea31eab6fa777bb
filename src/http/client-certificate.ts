/** With which certificate a client came: shown to our own listener, or told by a proxy of ours (RFC 9440). */
import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { type Networks, normaliseAddress } from './networks.ts'

/** Longer than any certificate of somebody who means well. */
const LONGEST = 16_384
/** Nobody has more authorities between themselves and somebody else's. */
const MOST_SENT = 6

export interface CertificateOptions {
  readonly proxies: Networks
  /** The header that the proxies set; without one none is believed. */
  readonly header?: string | undefined
  /** The one in which they tell what the client sent besides. */
  readonly chainHeader?: string | undefined
}

export interface ClientCertificate {
  /** Undefined where there is none, and where nobody can say what it is: both are no certificate. */
  own(): X509Certificate | undefined
  /** The authorities that the client sent along, as it says. Nobody has looked at them. */
  chain(): readonly X509Certificate[]
}

const NONE: ClientCertificate = Object.freeze({ own: () => undefined, chain: () => [] })

/**
 * ATTACK: whoever reaches us past the proxy writes the header as they like; it is read from the proxies' networks only. And it
 * is taken off the request, so that nobody further in can take it for something believed.
 */
export function createClientCertificate({ proxies, header, chainHeader }: CertificateOptions) {
  return (request: IncomingMessage): ClientCertificate => {
    const said = take(request, header)
    const chain = take(request, chainHeader)
    const { socket } = request
    // who shows it to ourselves has its key: the handshake has proved it
    if (socket instanceof TLSSocket)
      return { own: () => socket.getPeerX509Certificate(), chain: () => sentAlong(socket.getPeerX509Certificate()) }
    if (said === undefined || !proxies.has(normaliseAddress(socket.remoteAddress) ?? '')) return NONE
    return { own: () => readHeader(said), chain: () => (chain === undefined ? [] : readChain(chain)) }
  }
}

function take({ headers }: IncomingMessage, name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  const said = headers[name]
  delete headers[name]
  return typeof said === 'string' ? said : undefined
}

function sentAlong(certificate: X509Certificate | undefined): X509Certificate[] {
  const found: X509Certificate[] = []
  for (let one = certificate?.issuerCertificate; one && found.length < MOST_SENT; one = one.issuerCertificate) {
    if (found.some(({ raw }) => raw.equals(one!.raw))) break
    found.push(one)
  }
  return found
}

/** RFC 9440 §2.3: a list of byte sequences (RFC 9651 §3.1). Several headers of the name are one list, as they may be. */
function readChain(text: string): X509Certificate[] {
  if (text.length > LONGEST) return []
  const members = text.split(/[ \t]*,[ \t]*/)
  const read = members.length > MOST_SENT ? [] : members.map(readHeader)
  return read.every((one) => one !== undefined) ? read : []
}

/**
 * RFC 9440 §2.1: the certificate as a byte sequence (`:BASE64:`). Or what nginx and its kin can write: PEM, percent-encoded.
 * A header that came twice is one text with a comma, which is neither.
 */
function readHeader(text: string): X509Certificate | undefined {
  if (text.length > LONGEST) return undefined
  const bytes = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(text)?.[1]
  try {
    if (bytes !== undefined) return new X509Certificate(Buffer.from(bytes, 'base64'))
    const pem = decodeURIComponent(text)
    const whole = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?$/.test(pem)
    return whole ? new X509Certificate(pem) : undefined
  } catch {
    return undefined
  }
}
