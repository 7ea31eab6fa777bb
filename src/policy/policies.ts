/** Policies ready to decide: what `loadPolicies` builds and `decide` reads. Immutable. */
import type { Expectation, Words } from './documents.ts'
import type { Facts } from './facts.ts'
import type { Known } from './reader.ts'
import type { Needs } from './signals.ts'
import type { Sites } from './sites.ts'
import type { Strengths } from './strengths.ts'
import type { TokenLimits, Verdict } from './terms.ts'
import type { Draft, Judge } from './when.ts'
import type { Zone } from './zones.ts'

export interface Rule {
  readonly name: string
  /** `policies/store-apps.yaml:31` */
  readonly line: string
  /** 1-based. */
  readonly column: number
  readonly mode: 'enforce' | 'report'
  /** Absent: always. */
  readonly when?: Judge
  /** The same as it was read: what the check looks into. */
  readonly draft?: Draft
  readonly verdict: Verdict
  /** What a person who is denied is told. */
  readonly deny?: { readonly say?: Words; readonly do?: Words }
}

export interface PolicyTest {
  readonly name: string
  readonly line: string
  readonly given: Facts
  readonly expect: Expectation
}

export interface Policy {
  readonly name: string
  readonly title?: string
  readonly owner?: string
  readonly line: string
  readonly column: number
  readonly baseline: boolean
  /** What its own rules need to know. */
  readonly needs: Needs
  readonly rules: readonly Rule[]
  readonly tests: readonly PolicyTest[]
}

/** A group or an app that a condition names: whether there is one, only the database knows. */
export interface Mention {
  readonly to: 'group' | 'app'
  readonly name: string
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface Policies {
  /** The folder, as problems name it. */
  readonly folder: string
  /** `sha256:…` over every file that was read. */
  readonly version: string
  /** In the order of their files. */
  readonly list: readonly Policy[]
  readonly names: readonly string[]
  find(name: string): Policy | undefined
  readonly baseline?: Policy
  /** Names of all strengths, the built-in ones first: what `acr_values` may name. */
  readonly strengths: readonly string[]
  readonly strengthTable: Strengths
  /** The named networks. */
  readonly zones: ReadonlyMap<string, Zone>
  readonly mentions: readonly Mention[]
  readonly sites: Sites
  /** What the rules of all policies together need to know: what nobody needs is neither looked up nor kept. */
  readonly needs: Needs
  /** What they were read from: whoever loads almost the same files again reads only what is new. */
  readonly known: Known
  /** What judging that policy takes, and the baseline with it. */
  needsOf(policy: string | undefined): Needs
  /**
   * The strictest that any rule in force there, or in the baseline, says about tokens: for a token of which nobody can tell
   * which rule decides. Absent: none of them says anything.
   */
  tokenLimitsOf(policy: string | undefined): TokenLimits | undefined
}
