/** Our signing keys as the engine's: it asks for signatures and never holds a private key. */
import { ExternalSigningKey } from 'oidc-provider'
import type { Signer } from '#keys'

export class EngineKey extends ExternalSigningKey {
  readonly #signer: Signer

  constructor(signer: Signer) {
    super()
    this.#signer = signer
    Object.assign(this, { kid: signer.kid, alg: signer.alg })
  }

  override keyObject() {
    return this.#signer.publicKey
  }

  override sign(data: Uint8Array) {
    return this.#signer.sign(data)
  }
}
