/**
 * Whether a token is shown by whom it was given to: by a proof with the key that it is bound to (RFC 9449 §7), or over a
 * connection with the certificate (RFC 8705 §3).
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose'
import type { AccessToken, Api } from '#apis'
import { seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import { clientCertificateOf, type Target } from '#http'
import type { Credentials } from './credentials.ts'
import type { ApiAccessOptions } from './options.ts'

/** RFC 9449 §5: no algorithm of one secret for both, none that is none. */
export const PROOF_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const
/** RFC 9449 §11.1: a proof is made for this very call; the clocks may differ by as much. */
const YOUNG = seconds(60)
const LONGEST = 4_096

export type Sender = 'proved' | 'not-proved' | 'unbound' | 'certificate' | 'proof' | 'proof-replayed'

export function createSenders({ storage, clock }: Pick<ApiAccessOptions, 'storage' | 'clock'>) {
  /** RFC 9449 §4.3. */
  async function proof(request: IncomingMessage, sent: Credentials, jkt: string, target: Target): Promise<Sender> {
    const text = request.headers['dpop']
    if (typeof text !== 'string' || text.length > LONGEST) return 'proof'
    try {
      const { payload, protectedHeader } = await jwtVerify(text, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: [...PROOF_ALGS],
        currentDate: new Date(clock.now()),
        requiredClaims: ['jti', 'iat', 'htm', 'htu', 'ath'],
      })
      const { jti, iat, htm, htu, ath } = payload
      const good =
        htm === target.method &&
        isSameAddress(htu, target) &&
        ath === sha256(sent.token) &&
        Math.abs(clock.now() - iat! * 1000) <= YOUNG &&
        (await calculateJwkThumbprint(protectedHeader.jwk!, 'sha256')) === jkt
      if (!good) return 'proof'
      // INVARIANT: keyed on the id inside, which has one spelling; of parallel copies, on whatever process, one wins
      const first = await storage.state.add(`api-proof:${sha256(JSON.stringify([jkt, jti]))}`, '1', { ttl: 2 * YOUNG })
      return first ? 'proved' : 'proof-replayed'
    } catch {
      return 'proof'
    }
  }

  return async (
    { senderConstraint: wanted }: Api,
    token: AccessToken,
    sent: Credentials,
    { request, target }: { request: IncomingMessage; target: Target },
  ): Promise<Sender> => {
    const { jkt, x5t } = token
    const met = {
      none: true,
      dpop: jkt !== undefined,
      mtls: x5t !== undefined,
      either: jkt !== undefined || x5t !== undefined,
    }[wanted]
    if (!met) return 'unbound'
    // RFC 9449 §7.2: shown as a bearer token, one that is bound would be of use to whoever finds it
    if ((sent.scheme === 'DPoP') !== (jkt !== undefined)) return 'not-proved'
    if (jkt !== undefined) return proof(request, sent, jkt, target)
    if (x5t === undefined) return 'proved'
    const certificate = clientCertificateOf(request)
    const shown = certificate && createHash('sha256').update(certificate.raw).digest('base64url')
    return shown === x5t ? 'proved' : 'certificate'
  }
}

/** Without query and fragment, as a URL parser writes it (RFC 9449 §4.3). */
function isSameAddress(htu: unknown, { origin, uri }: Target): boolean {
  const [said, called] = [URL.parse(String(htu)), URL.parse(origin + uri)]
  return said !== null && called !== null && said.origin === called.origin && said.pathname === called.pathname
}

export type Senders = ReturnType<typeof createSenders>
