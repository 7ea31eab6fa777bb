/** Every kind of database there is. To add one: its file, and a line here. */
import type { DatabaseKind } from '../database.ts'
import { geoipLite } from './geoip-lite.ts'
import { mmdb } from './mmdb.ts'

export const DATABASES: readonly DatabaseKind[] = Object.freeze([geoipLite, mmdb])
