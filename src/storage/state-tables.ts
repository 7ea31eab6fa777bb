/** The first migration of every storage: the tables of short-lived state. */
import { CompiledQuery } from 'kysely'
import type { Migration, Records } from './records.ts'

const TABLES = [
  'create table state (k text primary key not null, v text not null, expires integer, grp text, alias text)',
  'create index state_grp on state (grp) where grp is not null',
  'create unique index state_alias on state (alias) where alias is not null',
  'create index state_expires on state (expires) where expires is not null',
  `create table state_members (name text not null, member text not null, expires integer not null,
    primary key (name, member)) without rowid`,
  'create index state_members_expires on state_members (expires)',
]

export const stateMigration: Migration = Object.freeze({
  name: 'storage-001-state',
  async up(records: Records) {
    for (const statement of TABLES) await records.executeQuery(CompiledQuery.raw(statement))
  },
})
