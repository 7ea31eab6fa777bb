/** Every storage driver, by name. */
import type { StorageDriver } from '../driver.ts'
import { sqliteDriver } from './sqlite.ts'

export const DRIVERS: readonly StorageDriver[] = Object.freeze([sqliteDriver])
