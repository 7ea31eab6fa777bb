/** The tables of this room (type aliases, because Kysely wants index signatures and interfaces have none). */
import type { MergesTable } from './merging/tables.ts'
import type { OutageTables } from './outage-tables.ts'
import type { SyncedTable, SyncsTable } from './sync-tables.ts'

export type PeopleTable = {
  readonly id: string
  readonly directory: string
  readonly username: string
  /** `usernameKey(username)`; for an upstream person whose name somebody else has now, the key, a 0x1F and the id. */
  readonly username_key: string
  /** What the upstream calls this entry for ever (entryUUID); null for local people. */
  readonly upstream_id: string | null
  readonly name: string
  readonly given_name: string | null
  readonly family_name: string | null
  readonly mail: string | null
  readonly mail_verified: number
  readonly organisation: string | null
  readonly language: string | null
  readonly disabled: number
  /** JSON: name to list of texts. */
  readonly attributes: string
  /** JSON list, sorted, over all sources: what `memberships` says, kept by the same transaction. Null is unknown. */
  readonly groups: string | null
  /** Whether the person's own directory has ever told the groups. */
  readonly groups_known: number
  /** When it did for the last time. */
  readonly groups_at: number | null
  /** 1 where their own directory says so; `disabled` is what was said here. */
  readonly upstream_disabled: number
  /** JSON, like `attributes`: what their own directory says; it wins over what was given here under the same name. */
  readonly upstream_attributes: string
  /** Since when the person's own directory has been known to have them no more; null while it has them. */
  readonly gone_at: number | null
  readonly created_at: number
  readonly changed_at: number
}

export type MembershipsTable = {
  readonly person_id: string
  readonly group_name: string
  /** `LOCAL_SOURCE`, or the id of the upstream that says so: what one source says never deletes what another says. */
  readonly source: string
}

export type PasswordsTable = {
  readonly person_id: string
  /** PHC string format: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
  readonly phc: string
  readonly set_at: number
}

/** What another directory knows a person by who is at home elsewhere. */
export type IdentitiesTable = {
  readonly directory: string
  readonly upstream_id: string
  readonly person_id: string
  readonly linked_at: number
  readonly linked_by: string
}

/** Our keys towards providers that want one of their own. */
export type ProviderKeysTable = {
  readonly directory: string
  /** PKCS #8 in PEM, sealed. */
  readonly private_sealed: string
  readonly certificate: string
  readonly created_at: number
}

export type Tables = OutageTables & {
  people: PeopleTable
  identities: IdentitiesTable
  identities_refused: Pick<IdentitiesTable, 'directory' | 'upstream_id' | 'person_id'>
  provider_keys: ProviderKeysTable
  memberships: MembershipsTable
  passwords: PasswordsTable
  merges: MergesTable
  directory_syncs: SyncsTable
  directory_synced: SyncedTable
}

/** The source of memberships that were given here, not by an upstream. No directory can have this id. */
export const LOCAL_SOURCE = '@here'

/** What is kept about a person for syncs and outages: it is made anew where it is needed, so nobody inherits it. */
export const KEPT_BESIDE = Object.freeze([
  'directory_confirmed',
  'directory_to_judge',
  'directory_synced',
  'identities_refused',
] as const)
