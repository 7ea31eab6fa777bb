/** Every storage driver, by the schemes of its urls. Those of servers are loaded where one is named: most installations have none. */
import type { RecordsDriver, StateDriver } from '../driver.ts'
import { SCHEMES } from './redis-place.ts'
import { sqliteDriver } from './sqlite.ts'

const postgres: RecordsDriver = {
  schemes: ['postgres', 'postgresql'],
  open: async (place, options) => (await import('./postgres.ts')).postgresDriver.open(place, options),
  peek: async (place) => (await import('./postgres.ts')).postgresDriver.peek(place),
}

const redis: StateDriver = {
  schemes: SCHEMES,
  open: async (place, options) => (await import('./redis.ts')).redisDriver.open(place, options),
}

export const RECORDS_DRIVERS: readonly RecordsDriver[] = Object.freeze([sqliteDriver, postgres])

/** For short-lived state in a place of its own. */
export const STATE_DRIVERS: readonly StateDriver[] = Object.freeze([redis])
