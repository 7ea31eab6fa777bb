/** The secrets of apps: made here, stored sealed, and for a while two of them where one takes over from the other. */
import type { Clock, Instant } from '#core/clock'
import { constantTimeEqual } from '#core/digest'
import { randomId } from '#core/random'
import type { Keys } from '#keys'
import type { AppRow } from './tables.ts'

export interface PreviousSecret {
  readonly secret: string
  readonly until: Instant
}

export interface ClientSecrets {
  readonly current: string
  readonly previous?: PreviousSecret
}

/** What an app of OpenID Connect has. */
interface Holder {
  readonly clientSecret?: string
  readonly previousSecret?: PreviousSecret
}

type Sealing = Pick<Keys, 'seal' | 'unseal'>
type SecretColumns = Pick<AppRow, 'id' | 'secret' | 'previous_secret' | 'previous_until'>

const recordId = (id: string) => `app:${id}:secret`

export function makeSecret(id: string, keys: Sealing): { readonly plain: string; readonly sealed: string } {
  const plain = randomId(32)
  return { plain, sealed: keys.seal(plain, recordId(id)) }
}

/** Undefined for an app that has none. Throws Refusal `sealed-record-invalid`. */
export function readSecrets(row: SecretColumns, keys: Sealing): ClientSecrets | undefined {
  const open = (sealed: string) => keys.unseal(sealed, recordId(row.id)).toString('utf8')
  if (row.secret === null) return undefined
  const current = open(row.secret)
  if (row.previous_secret === null || row.previous_until === null) return { current }
  return { current, previous: { secret: open(row.previous_secret), until: Number(row.previous_until) } }
}

/** Whether the app shows a secret of its own; the time tells nothing of where it differs. */
export function isSecretOf({ clientSecret, previousSecret }: Holder, shown: string, clock: Clock): boolean {
  if (clientSecret !== undefined && constantTimeEqual(clientSecret, shown)) return true
  return (
    previousSecret !== undefined &&
    clock.now() < previousSecret.until &&
    constantTimeEqual(previousSecret.secret, shown)
  )
}
