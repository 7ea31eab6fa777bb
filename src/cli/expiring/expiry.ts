/**
 * What stops working at a time that is known beforehand. To add a kind: its file in `sources/` and a line in
 * `sources/list.ts`.
 */
import type { Instant } from '#core/clock'
import type { Context, House } from '../verb.ts'

export interface Expiry {
  /** In kebab-case; never changes its meaning. */
  readonly what: string
  /** The app or directory whose it is; undefined where it is ours. */
  readonly of: string | undefined
  readonly at: Instant
  /** What happens then, and to whom. */
  readonly say: string
  readonly fix: string
}

/** It could not be found out. */
export interface Unknown {
  readonly what: string
  readonly of: string
  readonly say: string
}

export interface Found {
  readonly expiring: readonly Expiry[]
  readonly unknown?: readonly Unknown[]
}

export interface Source {
  readonly name: string
  /** Everything, however far away. Never throws for what cannot be reached. */
  find(house: House, context: Context): Promise<Found>
}

/** Who opens an app, in words. */
export const audienceOf = (audience: readonly string[]): string =>
  audience.includes('*') ? 'everybody' : audience.join(', ') || 'nobody'
