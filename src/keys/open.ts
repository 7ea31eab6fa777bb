import { hours, type Millis } from '#core/clock'
import { type Master, openRoot } from './root.ts'
import { createSealing, type Sealing } from './sealing.ts'
import { openSigning, type Signing, type SigningOptions } from './signing.ts'

export interface KeysOptions extends Omit<SigningOptions, 'sealing' | 'publishAhead' | 'keepFor'> {
  /** 32 bytes, from `readMasterKey`. */
  readonly masterKey: Buffer
  /** How long a new key is published before it signs: at least as long as relying parties cache the key set. 1 h. */
  readonly publishAhead?: Millis
  /** How long a key stays published after it signed last: longer than the longest token lives. 25 h. */
  readonly keepFor?: Millis
}

export interface Keys extends Sealing {
  readonly signing: Signing
  readonly master: Master
}

/**
 * Opens the keys and makes the first signing keys where there are none. Throws `Refusal('sealed-record-invalid')` when
 * the master key is not the one the stored keys were sealed with: starting with another would lose every secret.
 */
export async function openKeys({
  masterKey,
  publishAhead = hours(1),
  keepFor = hours(25),
  ...rest
}: KeysOptions): Promise<Keys> {
  const { root, master } = await openRoot(rest.storage, masterKey, rest.clock)
  const sealing = createSealing(root)
  const signing = await openSigning({ ...rest, sealing, publishAhead, keepFor })
  return Object.freeze({ ...sealing, signing, master })
}
