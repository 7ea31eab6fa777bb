/**
 * Decided later by other policies: which facts nobody had looked for, because no rule in force needed them then. What
 * was looked for and not found is unknown, and decided as such; what was not looked for cannot be decided at all.
 */
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'
import type { Policies } from './policies.ts'
import type { ConditionTrace } from './said.ts'
import { COUNTERS, type Counter, type Signal } from './signals.ts'
import { type Notes, needsOf, readWhen } from './when.ts'

/** What was looked for, found or not. Undefined: nobody wrote that down. */
export type Gathered = readonly Signal[] | undefined

export interface Lacking {
  /** What was not looked for and what rules of that policy need; a counter may have been counted for too short a time. */
  needs(policy: string | undefined, gathered: Gathered): boolean
  /** The same as far as that decision rests on it. */
  in(decision: Decision, facts: Facts, gathered: Gathered): readonly Signal[]
}

/** They were read before, without a problem. */
const unheard = (): Notes => ({ problem() {}, issues() {}, reference() {}, leaves: new Map() })

const isCounter = (signal: Signal): signal is Counter => (COUNTERS as readonly Signal[]).includes(signal)

/** Where nobody has signed in there is nobody's past or session to look into. */
const OF_NOBODY: readonly Signal[] = ['place', 'enrolment']

function isLacking(signal: Signal, facts: Facts, gathered: Gathered): boolean {
  if (signal === 'enrolment' && facts.device?.enrolled !== undefined) return false
  if (signal === 'client_past') return facts.client !== null && !gathered?.includes(signal)
  if (!gathered) return true
  if (!facts.user && !OF_NOBODY.includes(signal)) return false
  if (!gathered.includes(signal)) return true
  // counted, and not for as long as this rule looks back
  return isCounter(signal) && facts.history?.[signal] !== undefined
}

export function createLacking(policies: Policies): Lacking {
  const names = { zones: policies.zones, strengths: policies.strengthTable }
  /** By the name of a condition and what a rule wants of it, which is one and the same each time. */
  const known = new Map<string, Map<unknown, readonly Signal[]>>()

  function signalsOf({ condition, wanted }: ConditionTrace): readonly Signal[] {
    const forms = known.get(condition) ?? new Map<unknown, readonly Signal[]>()
    known.set(condition, forms)
    let signals = forms.get(wanted)
    if (!signals) {
      signals = needsOf(readWhen({ [condition]: wanted }, [], unheard()), names).map(({ signal }) => signal)
      forms.set(wanted, signals)
    }
    return signals
  }

  return {
    needs(policy, gathered) {
      for (const [signal] of policies.needsOf(policy)) if (!gathered?.includes(signal) || isCounter(signal)) return true
      return false
    },

    in({ trace }, facts, gathered) {
      const found = new Set<Signal>()
      const look = (conditions: readonly ConditionTrace[], matched: unknown) => {
        for (const one of conditions) {
          if (one.conditions) look(one.conditions, matched)
          else if (isUnknown(one) && (matched === 'unknown' || (gathered && one.result !== 'unknown')))
            for (const signal of signalsOf(one)) if (isLacking(signal, facts, gathered)) found.add(signal)
        }
      }
      for (const { mode, matched, conditions } of trace)
        if (mode !== 'report' && matched !== 'error') look(conditions, matched)
      return [...found]
    },
  }
}

/** Also where the rule says what unknown is taken for, or names it, and so has an answer. */
const isUnknown = ({ why, seen }: ConditionTrace): boolean => why !== undefined || seen === 'unknown'
