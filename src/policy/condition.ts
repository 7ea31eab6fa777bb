/** What a condition is: one file in `conditions/`, one line in `conditions/list.ts`. */
import type { z } from 'zod'
import type { Scene } from './scene.ts'
import type { Need } from './signals.ts'
import type { Strengths } from './strengths.ts'
import type { Truth } from './truth.ts'
import type { Zone } from './zones.ts'

/** A name in a rule that stands for something written elsewhere. */
export interface Reference {
  readonly to: 'network' | 'strength'
  readonly name: string
}

export interface Setting {
  readonly zones: ReadonlyMap<string, Zone>
  readonly strengths: Strengths
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
  /** Only asked when something is known; `unknown` where that is not enough to tell. */
  holds(seen: Seen, scene: Scene): Truth
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
  /** What `access/` has to gather for it, beyond what every request tells. */
  needs?(wanted: Wanted, setting: Setting): readonly Need[]
  prepare(wanted: Wanted, setting: Setting): Test<Seen>
}
