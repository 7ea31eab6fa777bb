/**
 * Keys: the master key, sealing of secrets at rest, and the signing keys with their overlap at rotation.
 *
 * - `master-key.ts` reading it, or making it on the first start
 * - `root.ts`       what seals everything, stored sealed by the master key
 * - `sealing.ts`    AES-256-GCM bound to a record's id, and derived keys
 * - `signing.ts`    the signing keys: published before use, kept until the last token has expired
 * - `signer.ts`     what signs, and holds the private half
 * - `lifetime.ts`   which state a key has at a moment, computed and never stored
 * - `generate.ts`   making one
 * - `certificate.ts` when certificates end
 * - `tables.ts`     where they are kept
 *
 * INVARIANT: no private key and no secret is written anywhere unsealed, and none is ever logged.
 */
export { type CertificateEnd, certificateEnds } from './certificate.ts'
export { ALGS, type Alg, isAlg, type KeyState, type SigningKey } from './lifetime.ts'
export { makeMasterKey, readMasterKey, replaceMasterKey } from './master-key.ts'
export { type Keys, type KeysOptions, openKeys } from './open.ts'
export { isSealed, type Master } from './root.ts'
export type { Signer } from './signer.ts'
export type { Jwks, Signing } from './signing.ts'
export { keysMigrations } from './tables.ts'
