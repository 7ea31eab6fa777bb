/**
 * Whether a token is shown by whom it was given to: by a proof with the key that it is bound to (RFC 9449 §7), or over a
 * connection with the certificate (RFC 8705 §3).
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type AccessToken, type Api, PROOF_YOUNG, readProof } from '#apis'
import { sha256 } from '#core/digest'
import type { Target } from '#http'
import type { Credentials } from './credentials.ts'
import type { ApiAccessOptions } from './options.ts'

export type Sender = 'proved' | 'not-proved' | 'unbound' | 'certificate' | 'proof' | 'proof-replayed'

export function createSenders({
  storage,
  clock,
  clientCertificate,
}: Pick<ApiAccessOptions, 'storage' | 'clock' | 'clientCertificate'>) {
  /** RFC 9449 §4.3. */
  async function proof(request: IncomingMessage, sent: Credentials, jkt: string, target: Target): Promise<Sender> {
    const about = { method: target.method, address: target.origin + target.uri, now: clock.now() }
    const read = await readProof(request.headers['dpop'], about)
    if (read === undefined || read.ath !== sha256(sent.token) || read.jkt !== jkt) return 'proof'
    // INVARIANT: keyed on the id inside, which has one spelling; of parallel copies, on whatever process, one wins
    const id = `api-proof:${sha256(JSON.stringify([jkt, read.jti]))}`
    return (await storage.state.add(id, '1', { ttl: 2 * PROOF_YOUNG })) ? 'proved' : 'proof-replayed'
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
    const certificate = clientCertificate(request)
    const shown = certificate && createHash('sha256').update(certificate.raw).digest('base64url')
    return shown === x5t ? 'proved' : 'certificate'
  }
}

export type Senders = ReturnType<typeof createSenders>
