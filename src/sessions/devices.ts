/**
 * Known devices: browsers that a person has passed with, each with a long-lived cookie of its own. Whether one is
 * enrolled is another matter (`enrolled.ts`), with another cookie: what people do on a device does not touch it.
 */
import type { Kysely } from 'kysely'
import type { Audit } from '#audit'
import type { Clock, Instant } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Records, Storage } from '#storage'
import { createEnrolled, type EnrolledDevices } from './enrolled.ts'
import { createEnrolment } from './enrolment.ts'
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
  readonly enrolledCookieName: string
  readonly enrolled: EnrolledDevices
  readonly enrolment: ReturnType<typeof createEnrolment>
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
  /**
   * One person becomes another: what `from` is known on, `into` is known on. Where both are, `into`'s own trust stays.
   * INVARIANT: awaits nothing but queries of `on`, which may be a transaction; called again it changes nothing.
   */
  move(from: string, into: string, on: Records): Promise<void>
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

  const addDevice = storage.prepare(
    db.insertInto('devices').values({ id: '', secret_hash: '', created_at: 0, label: '', last_seen: 0 }).compile(),
  )
  /** A person passes with a device: known from then on, trusted only where that is said. */
  const pass = (trust: { trusted_since?: number; trusted_until?: number }) =>
    storage.prepare(
      db
        .insertInto('device_people')
        .values({
          ...{ device_id: '', person_id: '', known_since: 0, last_seen: 0, trusted_since: 0, trusted_until: 0 },
        })
        .onConflict((c) => c.columns(['device_id', 'person_id']).doUpdateSet({ last_seen: 0, ...trust }))
        .compile(),
    )
  const passKnown = pass({})
  const passTrusted = pass({ trusted_since: 0, trusted_until: 0 })

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
  ): Promise<{ id: string; cookie: string; made?: true }> {
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
    await addDevice([id, minted.secretHash, now, label, now])
    return { id, cookie: minted.cookie, made: true }
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

  const enrolled = createEnrolled({ storage, clock, audit })

  /** What is shared from now on spares nobody a second factor, and would again once it is nobody's any more. */
  async function distrust(cookie: string | undefined): Promise<void> {
    const device = await find(cookie)
    if (!device) return
    await db
      .updateTable('device_people')
      .set({ trusted_since: null, trusted_until: null })
      .where('device_id', '=', device.id)
      .execute()
  }

  return Object.freeze({
    cookieName: cookieName ?? 'portico-device',
    enrolledCookieName: 'portico-enrolled',
    enrolled,
    enrolment: createEnrolment({ storage, clock, audit, enrolled, distrust }),
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
      const own = await find(cookie, personId)
      // ATTACK: whoever had this browser before may have kept a copy of its cookie. It must not become a copy of
      // something the person is known or trusted by, so the secret changes with every such step.
      const news = !own || about.until !== undefined
      const held = news ? await renew(cookie, now, label) : { id: own.id, cookie: cookie!, made: undefined }
      if (!held.made) await db.updateTable('devices').set({ last_seen: now, label }).where('id', '=', held.id).execute()
      const { until } = about
      if (until === undefined) await passKnown([held.id, personId, now, now, null, null, now])
      else await passTrusted([held.id, personId, now, now, now, until, now, now, until])
      // each visit calls this: only what is new belongs in the trail
      if (news) await audit.record('device-remembered', { actor: personId, subject: personId })
      const row = (await knownDevice([held.id, personId])).rows[0]!
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

    async move(from: string, into: string, on: Records) {
      const tables: Kysely<Tables> = on
      const known = await tables.selectFrom('device_people').selectAll().where('person_id', '=', from).execute()
      for (const row of known)
        await tables
          .insertInto('device_people')
          .values({ ...row, person_id: into })
          .onConflict((c) => c.doNothing())
          .execute()
      await tables.deleteFrom('device_people').where('person_id', '=', from).execute()
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
