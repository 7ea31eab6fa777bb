/**
 * Keys that a client publishes at an address. The engine reads them when an assertion fits none of those it knows, once a
 * minute at most, so that a new key works without a call.
 */
import type { Provider } from 'oidc-provider'
import { type Clock, type Instant, minutes } from '#core/clock'

/** What the engine keeps of them. */
interface KeyStore {
  freshUntil?: number
  refresh(): Promise<void>
}
type Client = InstanceType<Provider['Client']> & { readonly asymmetricKeyStore: KeyStore }

/** As long as the engine takes them for fresh. */
const FRESH = minutes(1)

/**
 * ATTACK: a key that its owner has withdrawn still fits what somebody signs with it, so the engine would never look again.
 * Here they are read again once a minute by themselves. Where that fails those that are known stay: the owner's server may be
 * down. To be called before the client authenticates.
 */
export function createKeyReading(clock: Clock): (client: Client) => Promise<void> {
  const read = new WeakMap<Client, Instant>()
  return async (client) => {
    if (client.jwksUri === undefined || client.tokenEndpointAuthMethod !== 'private_key_jwt') return
    const now = clock.now()
    if (now - (read.get(client) ?? Number.NEGATIVE_INFINITY) < FRESH) return
    read.set(client, now)
    const { asymmetricKeyStore: store } = client
    store.freshUntil = 0
    await store.refresh().catch(() => {
      // whoever asks in this minute is not a reason to ask again
      store.freshUntil = Math.floor((now + FRESH) / 1000)
    })
  }
}
