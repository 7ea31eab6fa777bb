/** Known devices: browsers that a person has passed with, each with a long-lived cookie of its own. */
import type { Kysely } from 'kysely'
import type { Audit } from '#audit'
import type { Clock, Instant } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Storage } from '#storage'
import { mint, newId, opens, readHandle, secretHash } from './handle.ts'
import type { Tables } from './tables.ts'

export interface Device {
  readonly id: string
  /** What the person may recognise it by: `Firefox on Linux`. */
  readonly label: string
  readonly createdAt: Instant
  readonly lastSeenAt: Instant
  /** Whom the rest is about; absent when nobody was asked for. */
  readonly personId?: string
  readonly knownSince?: Instant
  /** When the second factor was given that the device is trusted for. */
  readonly trustedSince?: Instant
  readonly trustedUntil?: Instant
}

export interface Devices {
  readonly cookieName: string
  /**
   * The device that carries this cookie. With a person: only when it is known for that very person, so that a device
   * somebody else signed in on is as good as unknown. One read.
   */
  find(cookie: string | undefined, personId?: string): Promise<Device | undefined>
  /** The device that a living session says it is on, while it is known for that person. One read. */
  byId(deviceId: string, personId: string): Promise<Device | undefined>
  /**
   * Makes the device known for the person; a browser that has none yet gets one. `until`: a verified second factor is
   * not asked again before; leaving it out leaves an earlier trust as it is. Answers the value to set as cookie, which
   * is another one whenever the device became known or trusted.
   */
  remember(
    cookie: string | undefined,
    personId: string,
    about: { until?: Instant | undefined; label: string },
  ): Promise<{ device: Device; cookie: string }>
  /** Until when the device is trusted for this person; undefined when it is not, or not any more. */
  trustedUntil(device: Device | undefined, personId: string): Instant | undefined
  /** Last seen first. */
  ofPerson(personId: string): Promise<Device[]>
  /** @throws Refusal `device-unknown` when it is not known for this person */
  forget(personId: string, deviceId: string, by: string): Promise<void>
  forgetAll(personId: string, by: string): Promise<number>
}

const LONGEST_LABEL = 80

export function openDevices({
  storage,
  clock,
  audit,
  cookieName,
}: {
  storage: Storage
  clock: Clock
  audit: Audit
  cookieName?: string
}): Devices {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()

  const rows = () =>
    db
      .selectFrom('devices')
      .innerJoin('device_people', 'device_people.device_id', 'devices.id')
      .select([
        'id',
        'secret_hash',
        'label',
        'created_at',
        'person_id',
        'known_since',
        'trusted_since',
        'trusted_until',
      ])
      .select('device_people.last_seen')

  type Known = Awaited<ReturnType<ReturnType<typeof rows>['executeTakeFirstOrThrow']>>
  const toDevice = (row: Known): Device => ({
    id: row.id,
    label: row.label,
    createdAt: Number(row.created_at),
    lastSeenAt: Number(row.last_seen),
    personId: row.person_id,
    knownSince: Number(row.known_since),
    ...(row.trusted_since === null ? {} : { trustedSince: Number(row.trusted_since) }),
    ...(row.trusted_until === null ? {} : { trustedUntil: Number(row.trusted_until) }),
  })

  // compiled once: each authorization request of a known device reads it
  const knownDevice = storage.prepare(rows().where('id', '=', '').where('person_id', '=', '').compile())

  async function find(cookie: string | undefined, personId?: string): Promise<Device | undefined> {
    const handle = readHandle(cookie)
    if (!handle) return undefined
    if (personId !== undefined) {
      const row = (await knownDevice([handle.id, personId])).rows[0]
      return row && opens(handle, row.secret_hash) ? toDevice(row) : undefined
    }
    const row = await db.selectFrom('devices').selectAll().where('id', '=', handle.id).executeTakeFirst()
    if (!row || !opens(handle, row.secret_hash)) return undefined
    return { id: row.id, label: row.label, createdAt: Number(row.created_at), lastSeenAt: Number(row.last_seen) }
  }

  /** The device of this cookie with a new secret, or a new device where there is none. */
  async function renew(
    cookie: string | undefined,
    now: Instant,
    label: string,
  ): Promise<{ id: string; cookie: string }> {
    const handle = readHandle(cookie)
    if (handle) {
      const next = mint(handle.id)
      const renewed = await db
        .updateTable('devices')
        .set({ secret_hash: next.secretHash })
        .where('id', '=', handle.id)
        .where('secret_hash', '=', secretHash(handle))
        .returning('id')
        .executeTakeFirst()
      if (renewed) return { id: handle.id, cookie: next.cookie }
    }
    const id = newId()
    const minted = mint(id)
    const row = { id, secret_hash: minted.secretHash, created_at: now, label, last_seen: now }
    await db.insertInto('devices').values(row).execute()
    return { id, cookie: minted.cookie }
  }

  /** A device that nobody is known on any more tells nothing and goes. */
  const clear = (deviceId: string) =>
    db
      .deleteFrom('devices')
      .where('id', '=', deviceId)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('device_people').select('device_id').where('device_id', '=', deviceId))),
      )
      .execute()

  async function forgotten(personId: string, deviceIds: readonly string[], by: string): Promise<void> {
    for (const deviceId of deviceIds) await clear(deviceId)
    if (deviceIds.length > 0)
      await audit.record('device-forgotten', { actor: by, subject: personId, count: deviceIds.length })
  }

  return Object.freeze({
    cookieName: cookieName ?? 'portico-device',
    find,

    async byId(deviceId: string, personId: string) {
      const row = (await knownDevice([deviceId, personId])).rows[0]
      return row && toDevice(row)
    },

    async remember(
      cookie: string | undefined,
      personId: string,
      about: { until?: Instant | undefined; label: string },
    ) {
      const now = clock.now()
      const label = about.label.slice(0, LONGEST_LABEL)
      const trust = about.until === undefined ? {} : { trusted_since: now, trusted_until: about.until }
      const own = await find(cookie, personId)
      // ATTACK: whoever had this browser before may have kept a copy of its cookie. It must not become a copy of
      // something the person is known or trusted by, so the secret changes with every such step.
      const news = !own || about.until !== undefined
      const held = news ? await renew(cookie, now, label) : { id: own.id, cookie: cookie! }
      const seen = db.updateTable('devices').set({ last_seen: now, label }).where('id', '=', held.id).execute()
      const known = db
        .insertInto('device_people')
        .values({
          device_id: held.id,
          person_id: personId,
          known_since: now,
          last_seen: now,
          trusted_since: null,
          trusted_until: null,
          ...trust,
        })
        .onConflict((c) => c.columns(['device_id', 'person_id']).doUpdateSet({ last_seen: now, ...trust }))
        .execute()
      // each visit calls this: only what is new belongs in the trail
      const noted = news ? audit.record('device-remembered', { actor: personId, subject: personId }) : undefined
      await Promise.all([seen, known, noted])
      const row = await rows().where('id', '=', held.id).where('person_id', '=', personId).executeTakeFirstOrThrow()
      return { device: toDevice(row), cookie: held.cookie }
    },

    trustedUntil(device: Device | undefined, personId: string) {
      if (device?.personId !== personId || device.trustedUntil === undefined) return undefined
      return device.trustedUntil > clock.now() ? device.trustedUntil : undefined
    },

    async ofPerson(personId: string) {
      return (await rows().where('person_id', '=', personId).orderBy('device_people.last_seen', 'desc').execute()).map(
        toDevice,
      )
    },

    async forget(personId: string, deviceId: string, by: string) {
      const gone = await db
        .deleteFrom('device_people')
        .where('person_id', '=', personId)
        .where('device_id', '=', deviceId)
        .returning('device_id')
        .executeTakeFirst()
      if (!gone) throw new Refusal('device-unknown', 'not known for this person')
      await forgotten(personId, [deviceId], by)
    },

    async forgetAll(personId: string, by: string) {
      const gone = await db
        .deleteFrom('device_people')
        .where('person_id', '=', personId)
        .returning('device_id')
        .execute()
      await forgotten(
        personId,
        gone.map((row) => row.device_id),
        by,
      )
      return gone.length
    },
  })
}
