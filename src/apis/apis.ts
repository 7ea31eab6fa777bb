/**
 * APIs: what tokens are for. Each is a registered resource with its audience, its scopes and what its tokens look like;
 * this room knows them and writes them, and speaks no protocol.
 *
 * - `api.ts`      what stands in a file of `apis/`, and what other rooms see
 * - `reading.ts`  from files to definitions     - `registry.ts` the registered ones: look up, apply, export
 */
export type { Api, Words } from './api.ts'
export { type ApiSet, type Apis, type AppliedApis, openApis, unknownApi } from './registry.ts'
export { apisMigrations } from './tables.ts'
