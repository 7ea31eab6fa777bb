/**
 * Context: what surrounds a request and is written in no directory. Where an address is, and what a person did before.
 * This room knows and keeps; it judges nothing. `access/` asks it for what a policy needs, and for nothing else.
 *
 * - `database.ts` `databases/`  what tells the place of an address: the contract, the list, a file each
 * - `places.ts`                 the database that is configured, opened by the first question
 * - `history.ts`                the sign-ins before, the countries, the counters: two small rows of state per person
 * - `client-past.ts`            what a program did before: networks, volume, failures; one row of state each
 * - `quotas.ts`                 how often a client may ask, over all processes
 * - `buckets.ts`                the arithmetic of counters        - `platform.ts` the platform of a browser
 *
 * To add a database: its file in `databases/`, a line in `databases/list.ts`.
 */
export { type ClientFacts, type ClientPasts, openClientPasts } from './client-past.ts'
export type { Place } from './database.ts'
export { type Counter, type History, type Judged, openHistory, type Past, type SignIn, trustedBy } from './history.ts'
export { openPlaces, type Places } from './places.ts'
export { platformOf } from './platform.ts'
export { openQuotas, type Quota, type QuotaKind, type Quotas, quotaHeaders, quotaWords, type Taken } from './quotas.ts'
