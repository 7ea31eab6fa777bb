/**
 * The probe's keys. They are the same in every run, so that a test copy is set up once; and none of them is one of the
 * gateway's own: what a test copy learns to trust can sign nobody in anywhere else.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Clock } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Keys } from '#keys'
import { type SigningPair, selfSigned } from '#saml'
import type { Storage } from '#storage'
import type { Tables } from './tables.ts'

export type ProbeAlg = 'RS256' | 'ES256' | 'EdDSA'

export interface ProbeKey {
  readonly alg: ProbeAlg
  readonly kid: string
  readonly key: KeyObject
  readonly publicKey: KeyObject
}

export interface Material {
  /** One for each algorithm by which an app may have its tokens signed. */
  readonly keys: readonly ProbeKey[]
  /** An RSA key that nobody was told of. */
  stranger(): KeyObject
  readonly pair: SigningPair
  /** The same key in a certificate of its own. */
  strangePair(): SigningPair
  /** The client secret of the app's test copy. */
  secretOf(app: string): string
}

const GENERATE: Readonly<Record<ProbeAlg, () => KeyObject>> = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  EdDSA: () => generateKeyPairSync('ed25519').privateKey,
}
const ALGS = Object.keys(GENERATE) as ProbeAlg[]
const NAME = 'Portico probe, for test copies only'
const recordId = (alg: string) => `probe-key:${alg}`

export interface MaterialOptions {
  readonly storage: Storage
  readonly keys: Pick<Keys, 'seal' | 'unseal' | 'derive'>
  readonly clock: Clock
}

export async function openMaterial({ storage, keys, clock }: MaterialOptions): Promise<Material> {
  const records: Kysely<Tables> = storage.records.withTables<Tables>()
  const now = clock.now()
  for (const alg of ALGS) {
    const there = await records.selectFrom('probe_keys').select('alg').where('alg', '=', alg).executeTakeFirst()
    if (there) continue
    const key = GENERATE[alg]()
    const certificate = alg === 'RS256' ? selfSigned(key, NAME, now) : null
    const sealed = keys.seal(key.export({ type: 'pkcs8', format: 'pem' }), recordId(alg))
    // whoever came first has it: two commands at once end up with one key
    await records
      .insertInto('probe_keys')
      .values({ alg, sealed, certificate, created_at: now })
      .onConflict((conflict) => conflict.column('alg').doNothing())
      .execute()
  }
  const rows = await records.selectFrom('probe_keys').selectAll().orderBy('alg').execute()
  const opened = rows.map(({ alg, sealed }): ProbeKey => {
    const key = createPrivateKey(keys.unseal(sealed, recordId(alg)).toString('utf8'))
    const publicKey = createPublicKey(key)
    return {
      alg: alg as ProbeAlg,
      kid: sha256(publicKey.export({ type: 'spki', format: 'pem' })).slice(0, 16),
      key,
      publicKey,
    }
  })
  const rsa = opened.find(({ alg }) => alg === 'RS256')!
  // made when it is first needed: an RSA key takes longer than everything else here
  let strange: KeyObject | undefined
  const strangeRsa = () => {
    strange ??= GENERATE.RS256()
    return strange
  }
  return {
    keys: opened,
    stranger: strangeRsa,
    pair: { key: rsa.key, certificate: rows.find(({ alg }) => alg === 'RS256')!.certificate! },
    strangePair: () => ({ key: strangeRsa(), certificate: selfSigned(strangeRsa(), NAME, now) }),
    secretOf: (app) => keys.derive(`probe-client:${app}`).toString('base64url'),
  }
}
