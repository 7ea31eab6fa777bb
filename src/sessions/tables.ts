/** The durable tables of this room: devices, known and enrolled, and the sign-outs that apps have not heard of yet. */
import type { Migration } from '#storage'

export type DevicesTable = {
  readonly id: string
  readonly secret_hash: string
  readonly created_at: number
  readonly label: string
  readonly last_seen: number
}

export type DevicePeopleTable = {
  readonly device_id: string
  readonly person_id: string
  readonly known_since: number
  readonly last_seen: number
  readonly trusted_since: number | null
  readonly trusted_until: number | null
}

export type EnrolledDevicesTable = {
  readonly id: string
  readonly secret_hash: string
  readonly kind: 'personal' | 'shared'
  readonly site: string | null
  readonly name: string
  readonly enrolled_at: number
  readonly enrolled_by: string
  /** Null where it was enrolled before this was kept, or the address was not known. */
  readonly enrolled_from: string | null
  readonly last_seen: number
}

export type LogoutOutboxTable = {
  readonly id: string
  readonly event: string
  readonly app: string
  readonly subject: string
  /** Empty: all sessions of the person. */
  readonly sid: string
  readonly session: string
  readonly known: string | null
  readonly created_at: number
  readonly tries: number
  /** Not tried before this. */
  readonly next_at: number
  /** Who is sending it, and until when nobody else may. */
  readonly lease: string | null
  readonly leased_until: number
}

export type Tables = {
  devices: DevicesTable
  device_people: DevicePeopleTable
  enrolled_devices: EnrolledDevicesTable
  logout_outbox: LogoutOutboxTable
}

export const sessionsMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'sessions-001-devices',
    async up(records) {
      const { schema } = records
      await schema
        .createTable('devices')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('secret_hash', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('label', 'text', (c) => c.notNull())
        .addColumn('last_seen', 'bigint', (c) => c.notNull())
        .execute()
      await schema
        .createTable('device_people')
        .addColumn('device_id', 'text', (c) => c.notNull())
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addColumn('known_since', 'bigint', (c) => c.notNull())
        .addColumn('last_seen', 'bigint', (c) => c.notNull())
        .addColumn('trusted_since', 'bigint')
        .addColumn('trusted_until', 'bigint')
        .addPrimaryKeyConstraint('device_people_key', ['device_id', 'person_id'])
        .execute()
      await schema.createIndex('device_people_person').on('device_people').column('person_id').execute()
    },
  },
  {
    name: 'sessions-002-logout-outbox',
    async up(records) {
      const { schema } = records
      await schema
        .createTable('logout_outbox')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('event', 'text', (c) => c.notNull())
        .addColumn('app', 'text', (c) => c.notNull())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('sid', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('tries', 'integer', (c) => c.notNull())
        .addColumn('next_at', 'bigint', (c) => c.notNull())
        .addColumn('lease', 'text')
        .addColumn('leased_until', 'bigint', (c) => c.notNull())
        .execute()
      await schema
        .createIndex('logout_outbox_once')
        .on('logout_outbox')
        .columns(['event', 'app', 'sid'])
        .unique()
        .execute()
      await schema.createIndex('logout_outbox_next').on('logout_outbox').column('next_at').execute()
    },
  },
  {
    name: 'sessions-003-enrolled-devices',
    async up({ schema }) {
      await schema
        .createTable('enrolled_devices')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('secret_hash', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('site', 'text')
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('enrolled_at', 'bigint', (c) => c.notNull())
        .addColumn('enrolled_by', 'text', (c) => c.notNull())
        .addColumn('last_seen', 'bigint', (c) => c.notNull())
        .execute()
      await schema.createIndex('enrolled_devices_site').on('enrolled_devices').columns(['site', 'name']).execute()
    },
  },
  {
    name: 'sessions-004-enrolled-from',
    async up({ schema }) {
      await schema.alterTable('enrolled_devices').addColumn('enrolled_from', 'text').execute()
    },
  },
  {
    name: 'sessions-005-logout-known',
    async up({ schema }) {
      await schema
        .alterTable('logout_outbox')
        .addColumn('session', 'text', (c) => c.notNull().defaultTo(''))
        .execute()
      await schema.alterTable('logout_outbox').addColumn('known', 'text').execute()
      await schema.dropIndex('logout_outbox_once').execute()
      await schema
        .createIndex('logout_outbox_once')
        .on('logout_outbox')
        .columns(['event', 'app', 'subject', 'sid'])
        .unique()
        .execute()
    },
  },
])
