/** What a condition is: one file in `conditions/`, one line in `conditions/list.ts`. */
import type { z } from 'zod'
import type { Scene } from './scene.ts'
import type { Zone } from './zones.ts'

/** A name in a rule that stands for something written elsewhere. */
export interface Reference {
  readonly to: 'network' | 'strength'
  readonly name: string
}

export interface Setting {
  readonly zones: ReadonlyMap<string, Zone>
  /** What stands behind the prefix, for a condition whose name ends in a dot. */
  readonly rest: string
}

/**
 * A condition with what the rule wants, ready to be asked. The host applies three-valued logic, `unknown: true|false`,
 * errors and the trace, so that no member can forget them.
 */
export interface Test<Seen> {
  /** The fact. Undefined means that it cannot be established; known to be nothing is `null` or an empty list. */
  see(scene: Scene): Seen | undefined
  /** Only asked when the fact is known. */
  holds(seen: Seen, scene: Scene): boolean
  /** Why it is unknown: lower case, no full stop. */
  readonly why: string
  /** The fact as the trace tells it, where that differs from what was seen. */
  show?(seen: Seen): unknown
}

// biome-ignore lint/suspicious/noExplicitAny: the list holds conditions on facts of every type
export interface Condition<Wanted = any, Seen = any> {
  /** `device.known`; a name that ends in a dot takes whatever stands behind it. */
  readonly name: string
  /** What a rule may write, for the loader and for editors. `unknown: true|false` is the host's. */
  readonly wanted: z.ZodType<Wanted>
  refers?(wanted: Wanted): Reference[]
  prepare(wanted: Wanted, setting: Setting): Test<Seen>
}
