/**
 * APIs: what tokens are for. Each is a registered resource with its audience, its scopes and what its tokens look like;
 * this room knows them and writes them, and speaks no protocol.
 *
 * - `api.ts`      what stands in a file of `apis/`, and what other rooms see
 * - `gateway.ts`  how it stands behind a gateway: hosts, and rules of methods and paths
 * - `details.ts`  authorization details: types, limits, what covers what · `detail-schema.ts` their JSON Schema
 * - `access-token.ts` its JWTs, verified            - `revocations.ts` what ends them before their time
 * - `compact.ts`  any signed token, read in one way only
 * - `proof.ts`    that somebody has the key which a token is bound to   - `spelling.ts` tokens that say one thing
 * - `reading.ts`  from files to definitions     - `registry.ts` the registered ones: look up, apply, export
 */
export {
  type AccessToken,
  type AccessTokens,
  createAccessTokens,
  type TokenFault,
  type Whence,
  whenceOf,
} from './access-token.ts'
export type { Api, Words } from './api.ts'
export { type Compact, type CompactAlg, isSignedBy, readCompact } from './compact.ts'
export {
  type AuthorizationDetail,
  areCovered,
  type DetailType,
  detailsFault,
  readDetails,
} from './details.ts'
export type { ApiGateway, GatewayRule, InForce } from './gateway.ts'
export { PROOF_ALGS, PROOF_YOUNG, readProof } from './proof.ts'
export { type ApiSet, type Apis, type AppliedApis, openApis, unknownApi } from './registry.ts'
export {
  keyOf,
  openRevocations,
  type Revocable,
  type Revocations,
  type Revoked,
  type RevokedSet,
  shortId,
} from './revocations.ts'
export { isCanonical } from './spelling.ts'
export { apisMigrations } from './tables.ts'
