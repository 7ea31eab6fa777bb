/**
 * Directory: who people are, which groups they are in, and whether a password is theirs. People of our own live in our
 * tables; people of other directories are mirrored there, so that everybody has one stable id and is known when their
 * directory is down.
 *
 * - `people.ts`   opens the room; the `People` interface is all that others see
 * - `person.ts`   what a person is and what may stand in the fields; `tables.ts`, `rows.ts`, `store.ts`, `search.ts` how it is kept
 * - `sign-in.ts`  finding by name and checking passwords over all directories; `mirror.ts` upstream people in our tables
 * - `outages.ts`  directories that are down, `outage-watch.ts` who looks whether one is back; `confirmed.ts` what is kept for that time, `rejudging.ts` what is made good after
 * - `sync.ts`, `sync-*.ts`   a whole directory brought over, by hand or by the clock
 * - `changes.ts`, `groups.ts`, `passwords.ts`   what is changed, and which passwords may be chosen
 * - `administrators.ts` that one is left
 * - `hashing.ts`, `queue.ts`   argon2id behind a bounded fair queue; `hash-threads.ts` on threads that step back
 * - `import.ts` with `import-row.ts`, `import-plan.ts` and `csv.ts`   people from files
 * - `identities.ts`   one person, several identities
 * - `merging/`    two directories become one, by a rules file
 * - `federation/`   providers that sign people in on pages of their own: what they may say, who that is here, and whom none reaches
 * - `kind.ts`     what a kind of directory is; `kinds/list.ts` the list; one file per kind
 *
 * This room does not know sessions or tokens: who must hear that a person was disabled says so with `onDisabled`.
 */

export type { SeenDevice } from './confirmed.ts'
export { csvLine } from './csv.ts'
export type { Arrival, Arrived, Choice, Federation, UpstreamProof } from './federation/arrivals.ts'
export type { Asked, Told, UpstreamLogout, UpstreamSession } from './federation/federated.ts'
export { createHashing, type Hashing, type HashingOptions } from './hashing.ts'
export type { Identity } from './identities.ts'
export type { ImportedRow, ImportOptions } from './import.ts'
export type { DirectoryExpiry, TestStep } from './kind.ts'
export { CONFLICTS } from './merging/conflicts.ts'
export type { MergePerson, MergePlan, MergeRow } from './merging/plan.ts'
export { readMergeRules } from './merging/rules.ts'
export { directoryMigrations } from './migrations.ts'
export type { DirectoryState, PersonOutage } from './outages.ts'
export { type DirectoryOptions, openDirectory, type People } from './people.ts'
export { ADMINISTRATORS, type NewPerson, type Person, type PersonChanges, usernameKey } from './person.ts'
export type { PeopleFilter } from './store.ts'
export type { SyncReport } from './sync.ts'
