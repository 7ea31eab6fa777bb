/** With which certificate a client came: shown to our own listener, or told by a proxy of ours (RFC 9440). */
import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { type Networks, normaliseAddress } from './networks.ts'

/** Longer than any certificate of somebody who means well. */
const LONGEST = 16_384

export interface CertificateOptions {
  readonly proxies: Networks
  /** The header that the proxies set; without one none is believed. */
  readonly header?: string | undefined
}

/** Undefined where there is none, and where nobody can say what it is: both are no certificate. */
export type ClientCertificate = () => X509Certificate | undefined

const NONE: ClientCertificate = () => undefined

/**
 * ATTACK: whoever reaches us past the proxy writes the header as they like; it is read from the proxies' networks only. And it
 * is taken off the request, so that nobody further in can take it for something believed.
 */
export function createClientCertificate({ proxies, header }: CertificateOptions) {
  return (request: IncomingMessage): ClientCertificate => {
    const said = header === undefined ? undefined : request.headers[header]
    if (header !== undefined) delete request.headers[header]
    const { socket } = request
    // who shows it to ourselves has its key: the handshake has proved it
    if (socket instanceof TLSSocket) return () => socket.getPeerX509Certificate()
    if (typeof said !== 'string' || !proxies.has(normaliseAddress(socket.remoteAddress) ?? '')) return NONE
    return () => readHeader(said)
  }
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
