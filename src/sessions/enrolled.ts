/** Enrolled devices: browsers that an administrator has set up, each with a long-lived cookie of its own. */
import type { Kysely } from 'kysely'
import type { Audit } from '#audit'
import { type Clock, hours, type Instant } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Storage } from '#storage'
import { mint, newId, opens, readHandle } from './handle.ts'
import type { EnrolledDevicesTable, Tables } from './tables.ts'

export const DEVICE_KINDS = ['personal', 'shared'] as const
export type DeviceKind = (typeof DEVICE_KINDS)[number]

export interface EnrolledDevice {
  readonly id: string
  readonly kind: DeviceKind
  /** As site files name it. */
  readonly site?: string
  readonly name: string
  readonly enrolledAt: Instant
  /** Who allowed it: a person's id or `cli`. */
  readonly enrolledBy: string
  /** The address at which the code was typed, where it was known. */
  readonly enrolledFrom?: string
  /** Of the last sign-in, to an hour. */
  readonly lastSeenAt: Instant
}

/** `null`: known not to be enrolled. Undefined: nobody looked, or could look. */
export type Enrolled = EnrolledDevice | null | undefined

export type NewEnrolled = Pick<EnrolledDevice, 'kind' | 'site' | 'name' | 'enrolledBy' | 'enrolledFrom'>

/** Called when a device is no longer enrolled, awaited; `by` as in the trail. It may be called again: it must bear that. */
export type RevokeListener = (deviceId: string, by: string) => Promise<void>

/** As a session ends whose device was revoked. */
export const DEVICE_REVOKED = 'device-revoked'

/** How exact `lastSeenAt` is: who signs in every minute writes once. */
const SEEN = hours(1)

export function createEnrolled({ storage, clock, audit }: { storage: Storage; clock: Clock; audit: Audit }) {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()
  // compiled once: each question from an enrolled device reads it
  const byIdRow = storage.prepare(db.selectFrom('enrolled_devices').selectAll().where('id', '=', '').compile())

  const listeners: RevokeListener[] = []

  const rowOf = async (id: string) => (await byIdRow([id])).rows[0]

  /** The device that carries this cookie; null where none does. One read, and none without a cookie of ours. */
  async function find(cookie: string | undefined): Promise<EnrolledDevice | null> {
    const handle = readHandle(cookie)
    const row = handle && (await rowOf(handle.id))
    return row && opens(handle, row.secret_hash) ? toDevice(row) : null
  }

  /** True where there was one. */
  async function remove(id: string, by: string, reason: string): Promise<boolean> {
    const gone = await db.deleteFrom('enrolled_devices').where('id', '=', id).returning('id').executeTakeFirst()
    if (gone) await audit.record('device-revoked', { actor: by, device: id, reason })
    return gone !== undefined
  }

  return Object.freeze({
    find,

    async byId(id: string): Promise<EnrolledDevice | null> {
      const row = await rowOf(id)
      return row ? toDevice(row) : null
    },

    /** Makes a browser an enrolled device; answers the value to set as cookie. One that it was before it is no longer. */
    async add(
      about: NewEnrolled,
      before: string | undefined,
    ): Promise<{ readonly device: EnrolledDevice; readonly cookie: string }> {
      const old = await find(before)
      if (old) await remove(old.id, about.enrolledBy, 'replaced')
      const now = clock.now()
      const { cookie, secretHash } = mint(newId())
      const device = { ...about, id: readHandle(cookie)!.id, enrolledAt: now, lastSeenAt: now }
      const row: EnrolledDevicesTable = {
        id: device.id,
        secret_hash: secretHash,
        kind: device.kind,
        site: device.site ?? null,
        name: device.name,
        enrolled_at: now,
        enrolled_by: device.enrolledBy,
        enrolled_from: device.enrolledFrom ?? null,
        last_seen: now,
      }
      await db.insertInto('enrolled_devices').values(row).execute()
      await audit.record('device-enrolled', { actor: about.enrolledBy, device: device.id, reason: device.kind })
      return { device, cookie }
    },

    /** Somebody has signed in on it. */
    async seen({ id, lastSeenAt }: EnrolledDevice): Promise<void> {
      const now = clock.now()
      if (now - lastSeenAt < SEEN) return
      await db.updateTable('enrolled_devices').set({ last_seen: now }).where('id', '=', id).execute()
    },

    /** By site and name. */
    async list(wanted: { readonly site?: string | undefined } = {}): Promise<EnrolledDevice[]> {
      const { site } = wanted
      const all = db.selectFrom('enrolled_devices').selectAll()
      const some = site === undefined ? all : all.where('site', '=', site)
      return (await some.orderBy('site').orderBy('name').orderBy('id').execute()).map(toDevice)
    },

    onRevoked(listener: RevokeListener): void {
      listeners.push(listener)
    },

    /** From the next question on it is as good as never enrolled, and nobody is signed in on it. @throws Refusal `device-unknown` */
    async revoke(id: string, by: string): Promise<void> {
      const gone = await remove(id, by, 'revoked')
      // also where there is none any more: a process may have died before it came to this
      for (const listener of listeners) await listener(id, by)
      if (!gone) throw new Refusal('device-unknown', 'not enrolled')
    },
  })
}

export type EnrolledDevices = ReturnType<typeof createEnrolled>

const toDevice = (row: EnrolledDevicesTable): EnrolledDevice => ({
  id: row.id,
  kind: row.kind,
  ...(row.site === null ? {} : { site: row.site }),
  name: row.name,
  enrolledAt: Number(row.enrolled_at),
  enrolledBy: row.enrolled_by,
  ...(row.enrolled_from === null ? {} : { enrolledFrom: row.enrolled_from }),
  lastSeenAt: Number(row.last_seen),
})
