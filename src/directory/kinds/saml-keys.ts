/**
 * Our key towards one SAML provider: signs requests and opens what it encrypts for us. Made when it is first needed, sealed like
 * every secret, and the same for ever: the provider knows its certificate, and nobody tells it of another.
 */
import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock } from '#core/clock'
import type { Keys } from '#keys'
import { selfSigned } from '#saml'
import type { Store } from '../store.ts'

export interface OurKey {
  readonly key: KeyObject
  /** PEM. */
  readonly certificate: string
}

const BITS = 3072
// in a thread of its own, so that nobody waits for the prime numbers
const generate = promisify(generateKeyPair) as (type: 'rsa', options: object) => Promise<{ privateKey: KeyObject }>

/** The same in every process: who comes second takes what is there. `name` stands in the certificate. */
export function createOurKey(
  directory: string,
  {
    store: { db },
    keys,
    clock,
    name,
  }: { store: Pick<Store, 'db'>; keys: Pick<Keys, 'seal' | 'unseal'>; clock: Clock; name: string },
): () => Promise<OurKey> {
  const recordId = `provider-key:${directory}`
  let held: Promise<OurKey> | undefined

  const stored = async (): Promise<OurKey | undefined> => {
    const row = await db.selectFrom('provider_keys').selectAll().where('directory', '=', directory).executeTakeFirst()
    if (!row) return undefined
    const key = createPrivateKey(keys.unseal(row.private_sealed, recordId).toString())
    return { key, certificate: row.certificate }
  }

  async function make(): Promise<OurKey> {
    const { privateKey } = await generate('rsa', { modulusLength: BITS })
    const at = clock.now()
    await db
      .insertInto('provider_keys')
      .values({
        directory,
        private_sealed: keys.seal(privateKey.export({ type: 'pkcs8', format: 'pem' }), recordId),
        certificate: selfSigned(privateKey, name, at),
        created_at: at,
      })
      .onConflict((conflict) => conflict.column('directory').doNothing())
      .execute()
    return (await stored())!
  }

  return async () => {
    held ??= stored().then((found) => found ?? make())
    try {
      return await held
    } catch (error) {
      held = undefined
      throw error
    }
  }
}
