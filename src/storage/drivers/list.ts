/** Every storage driver, by name. */
import type { RecordsDriver, StateDriver } from '../driver.ts'
import { postgresDriver } from './postgres.ts'
import { redisDriver } from './redis.ts'
import { sqliteDriver } from './sqlite.ts'

export const RECORDS_DRIVERS: readonly RecordsDriver[] = Object.freeze([sqliteDriver, postgresDriver])

/** For short-lived state in a place of its own. */
export const STATE_DRIVERS: readonly StateDriver[] = Object.freeze([redisDriver])
