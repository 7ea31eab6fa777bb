/**
 * Keys that a client publishes at an address. The engine reads them when an assertion fits none of those it knows, once a
 * minute at most, so that a new key works without a call.
 */
import type { JWK } from 'jose'
import type { Provider } from 'oidc-provider'
import { type Clock, type Instant, minutes } from '#core/clock'
import { createRecent } from '#core/recent'
import { thumbprintOf } from './proving-keys.ts'

/** What the engine keeps of them. */
interface KeyStore extends Iterable<JWK> {
  freshUntil?: number
  refresh(): Promise<void>
}
type Client = InstanceType<Provider['Client']> & { readonly asymmetricKeyStore: KeyStore }

export interface KeyReadingRooms {
  readonly clock: Clock
  /** Keys of a client that are at its address no more, by their thumbprints: what they have got is over. */
  keysWithdrawn(client: string, keys: readonly string[]): Promise<void>
}

/** As long as the engine takes them for fresh. */
const FRESH = minutes(1)
/** Of so many clients at least is remembered which keys they had. */
const KEPT = 10_000

/**
 * ATTACK: a key that its owner has withdrawn still fits what somebody signs with it, so the engine would never look again.
 * Here they are read again once a minute by themselves. Where that fails those that are known stay: the owner's server may be
 * down. To be called before the client authenticates.
 */
export function createKeyReading({ clock, keysWithdrawn }: KeyReadingRooms): (client: Client) => Promise<void> {
  const read = new WeakMap<Client, Instant>()
  const known = createRecent<string, readonly string[]>(KEPT)

  async function compare({ clientId, jwksUri, asymmetricKeyStore }: Client): Promise<void> {
    const address = `${clientId} ${jwksUri}`
    const keys = await Promise.all([...asymmetricKeyStore].map(thumbprintOf))
    const gone = (known.get(address) ?? []).filter((key) => !keys.includes(key))
    known.set(address, keys)
    if (gone.length > 0) await keysWithdrawn(clientId, gone)
  }

  return async (client) => {
    if (client.jwksUri === undefined || client.tokenEndpointAuthMethod !== 'private_key_jwt') return
    const now = clock.now()
    if (now - (read.get(client) ?? Number.NEGATIVE_INFINITY) < FRESH) return
    read.set(client, now)
    const { asymmetricKeyStore: store } = client
    store.freshUntil = 0
    const isRead = await store.refresh().then(
      () => true,
      () => false,
    )
    if (isRead) await compare(client)
    // whoever asks in this minute is not a reason to ask again
    else store.freshUntil = Math.floor((now + FRESH) / 1000)
  }
}
