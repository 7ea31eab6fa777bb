/** The rooms below sessions on a database in memory, with a clock that the test turns. */
import { auditMigrations, createAudit } from '#audit'
import { hours, minutes } from '#core/clock'
import { type Log, silentLog } from '#core/log'
import { openDevices, openOutbox, openSessions, sessionsMigrations } from '#sessions'
import { openStorage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

export const START = Date.UTC(2026, 10, 22, 9)
export const DEFAULTS = { idle: minutes(30), max: hours(10) }

export async function openHouse({ url, log = silentLog }: { url?: string; log?: Log } = {}) {
  const time = { now: START }
  const clock = { now: () => time.now }
  const storage = await openStorage({
    url: url ?? (await emptyStorageUrl()),
    clock,
    log: silentLog,
    migrations: [...auditMigrations, ...sessionsMigrations],
  })
  const audit = createAudit({ storage, clock, log: silentLog })
  const parts = { storage, clock, log, audit }
  return {
    ...parts,
    time,
    parts,
    sessions: openSessions({ ...parts, defaults: DEFAULTS }),
    outbox: openOutbox(parts),
    devices: openDevices(parts),
    events: async () => (await audit.search({})).map((entry) => entry.event).reverse(),
  }
}

export const password = (at: number) => ({ factor: 'password', at, amr: ['pwd'] })
export const totp = (at: number) => ({ factor: 'totp', at, amr: ['otp'], credential: 'c1' })
export const about = (personId: string, at = START) => ({ personId, proofs: [password(at)], address: '192.0.2.1' })
