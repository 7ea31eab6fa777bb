/** To what an exchanged token is bound: the engine does it for its own grants only. */
import { errors, type TokenEndpointGrantContext } from 'oidc-provider'
import { PROOF_YOUNG, readProof } from '#apis'
import type { App } from '#catalog'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { bindingCertificateOf, type CertificateSettings } from './mutual-tls.ts'
import type { Spending } from './replay.ts'
import { checkPromised } from './resources.ts'
import type { Token } from './token-limits.ts'

export interface BindingRooms {
  readonly certificates?: CertificateSettings | undefined
  readonly clock: Clock
  readonly log: Log
  readonly spending: Spending
}

/**
 * By the key of the proof that came along (RFC 9449 §5), by the certificate where the client is registered so (RFC 8705 §3).
 * Throws where the client's tokens are to be bound and nothing came that they could be bound to.
 *
 * DEVIATION: a proof needs no nonce here, as the engine tells nobody else which ones are its own; it is of this minute.
 */
export async function bindExchanged(
  { req, oidc }: Pick<TokenEndpointGrantContext, 'req' | 'oidc'>,
  app: App,
  token: Token,
  { certificates, clock, log, spending }: BindingRooms,
): Promise<void> {
  const { client } = oidc
  const text = req.headers['dpop']
  if (text !== undefined) {
    const about = { method: 'POST', address: oidc.urlFor('token'), now: clock.now() }
    const proof = await readProof(text, about)
    if (!proof) throw new errors.InvalidDpopProof('invalid DPoP key binding')
    // INVARIANT: under the same mark as the engine's, so that no proof opens here and there
    if (!(await spending.once(client.clientId, proof.jti, (clock.now() + 2 * PROOF_YOUNG) / 1000)))
      throw new errors.InvalidGrant('DPoP proof JWT Replay detected')
    token.setThumbprint('jkt', proof.jkt)
  }
  const isBound = app.oidc?.proof.tls_client_certificate_bound_access_tokens
  const certificate = isBound ? bindingCertificateOf(req, certificates, { clock, log }) : undefined
  if (certificate) token.setThumbprint('x5t', certificate)
  checkPromised(app, token)
}
