/** With which of its keys a client has shown who it is: its tokens say so, and end when that key is withdrawn. */
import type { IncomingMessage } from 'node:http'
import { calculateJwkThumbprint, compactVerify, type JWK } from 'jose'
import type { KoaContextWithOIDC } from 'oidc-provider'

/** The engine's store of a client's keys. */
export interface KeyStore {
  selectForVerify(of: { alg?: string | undefined; kid?: string | undefined }): JWK[]
}

export interface ProvingKeys {
  /** To be called once the engine has verified the assertion. */
  note(ctx: KoaContextWithOIDC, header: { readonly alg?: unknown; readonly kid?: unknown }): Promise<void>
  /** Says the same of a token that no request of the engine's is for. */
  provenBy(token: object, thumbprint: string): void
  /** Of a request or a token: the thumbprint (RFC 7638); undefined for a client that shows something else than a key of its own. */
  of(shown: IncomingMessage | object): string | undefined
}

const thumbprints = new WeakMap<JWK, string>()

export async function thumbprintOf(key: JWK): Promise<string> {
  const known = thumbprints.get(key)
  if (known !== undefined) return known
  const made = await calculateJwkThumbprint(key, 'sha256')
  thumbprints.set(key, made)
  return made
}

/** `federated`: what stands for the keys of clients that have none of their own (`federated.ts`); it says nothing of theirs. */
export function createProvingKeys(federated: JWK): ProvingKeys {
  const shown = new WeakMap<object, string>()

  /** Of several that could be meant, the one that fits: without a `kid` the engine tries them all as well. */
  async function fitting(candidates: readonly JWK[], assertion: string): Promise<JWK | undefined> {
    if (candidates.length < 2) return candidates[0]
    for (const key of candidates) {
      const fits = await compactVerify(assertion, key).catch(() => undefined)
      if (fits) return key
    }
    return undefined
  }

  return {
    async note({ req, oidc }, { alg, kid }) {
      const { asymmetricKeyStore: store } = oidc.client as unknown as { asymmetricKeyStore: KeyStore }
      const candidates = store.selectForVerify({
        alg: String(alg),
        ...(typeof kid === 'string' ? { kid } : {}),
      })
      const key = await fitting(candidates, String(oidc.params?.['client_assertion']))
      // INVARIANT: no token of a key that nobody could withdraw
      if (!key) throw new Error('an assertion that no key of its client has signed')
      if (key.x !== federated.x || key.crv !== federated.crv) shown.set(req, await thumbprintOf(key))
    },
    provenBy: (token, thumbprint) => void shown.set(token, thumbprint),
    of: (one) => shown.get(one),
  }
}
