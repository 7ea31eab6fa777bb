/** What a condition is: one file in `conditions/`, one line in `conditions/list.ts`. */
import type { z } from 'zod'
import type { Instant } from '#core/clock'
import type { Scene } from './scene.ts'
import type { Need } from './signals.ts'
import type { Sites } from './sites.ts'
import type { Strengths } from './strengths.ts'
import type { Truth } from './truth.ts'
import type { Zone } from './zones.ts'

/** A name in a rule that stands for something that is elsewhere: in other files, or (groups, apps) in the database. */
export interface Reference {
  readonly to: 'network' | 'strength' | 'group' | 'app'
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

/**
 * What `policy check` tries for one fact, by its path in the facts (`device.known`). INVARIANT: together with leaving the
 * fact out, these bring about every answer that the condition can give. A list or a record is known as a whole or not at
 * all, so its parts are tried one by one.
 */
export type Sample =
  /** One of these at a time; as many, in the same order, for every `at`. */
  | { readonly fact: string; values(at: Instant): readonly unknown[] }
  /** A list in which any of these words may be, and no other matters. Those that nothing tells apart stand together. */
  | { readonly fact: string; readonly members: readonly (readonly string[])[] }
  /** A record in which each of these keys may be, with any of its words. */
  | { readonly fact: string; readonly entries: Readonly<Record<string, readonly string[]>> }

/** What samples may depend on besides what rules want of the condition itself. */
export interface Sampling extends Setting {
  readonly sites: Sites
  /** What rules want of another condition. */
  wanted(condition: string): readonly unknown[]
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
  /**
   * For `policy check`: which facts tell apart everything that rules want of this condition. Without it, or where it
   * answers undefined, the check takes the condition for yes, no and unknown as it pleases.
   */
  samples?(wanted: readonly Wanted[], sampling: Sampling): readonly Sample[] | undefined
  /** For the change that would help: instants after `at` at which the answer may turn by itself, earliest first. */
  turns?(wanted: Wanted, at: Instant, scene: Scene): readonly Instant[]
}
