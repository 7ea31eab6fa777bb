/** Allow or challenge: the factors a person has given against the terms of the rule. */
import type { Decision, Required } from './decision.ts'
import { bitsOf, mayRemember, needed, oldestOf, type Proof, proofsOf } from './proofs.ts'
import type { Scene } from './scene.ts'
import { alternatives, type Demand, meets, namesIn, type Strengths, strongest } from './strengths.ts'
import { type Terms, tokenLimits } from './terms.ts'
import { around } from './wall-clock.ts'
import type { Wanted } from './wanted.ts'

export type Answer = Pick<
  Decision,
  | 'outcome'
  | 'required'
  | 'satisfied_by'
  | 'missing'
  | 'acr'
  | 'acr_by'
  | 'auth_time'
  | 'session'
  | 'remember_device'
  | 'scopes'
  | 'token'
  | 'unmet'
>

/** `terms` already hold what the request wants, except for its choice of strengths. */
export function answer(strengths: Strengths, terms: Terms, wanted: Wanted, scene: Scene): Answer {
  const { facts, at, subject } = scene
  if (subject === 'client') return answerClient(strengths, terms, wanted)
  const demand = { every: terms.strengths, one: wanted.one }
  // nobody has given anything where nobody has signed in
  const proofs = subject === 'nobody' ? [] : proofsOf(facts, at, terms)
  const held = bitsOf(proofs)
  const met = meets(strengths, demand, held)
  const chosen = wanted.preferred.find((strength) => strength.met(held)) ?? wanted.preferred[0]
  const required = requiredBy(strengths, terms, chosen?.bit ?? 0)
  const names = [required.strength, ...(required.also ?? [])]
  const used = met ? needed(strengths, demand, proofs) : proofs
  const acr = met ? (chosen?.name ?? names.find((name) => strengths.find(name)!.lists) ?? strongest(held)) : undefined
  const makeAcr = met ? makersOf(strengths, demand, acr, used, proofs) : used
  const since = met ? oldestOf(makeAcr) : undefined
  const session = limits(terms, at)
  return {
    outcome: wanted.unmet ? 'deny' : met ? 'allow' : 'challenge',
    required,
    satisfied_by: used.map((proof) => proof.name),
    missing: met ? [] : alternatives(strengths, demand, held),
    ...(acr && { acr }),
    ...(makeAcr !== used && { acr_by: makeAcr.map((proof) => proof.name) }),
    ...(since !== undefined && { auth_time: Math.floor(since / 1000) }),
    ...(session && { session }),
    ...(mayRemember(facts, terms) && { remember_device: terms.remember!.text }),
    ...tokenLimits(terms),
    ...(wanted.unmet && { unmet: true }),
  }
}

/**
 * The fewest proofs that meet the demand and the strength that is told of it. What an app is told must be of one piece: a
 * strength that only counts with the password of this morning was not reached by the code of a minute ago.
 */
function makersOf(
  strengths: Strengths,
  demand: Demand,
  acr: string | undefined,
  used: Proof[],
  proofs: Proof[],
): Proof[] {
  const told = strengths.find(acr ?? '')
  if (!told || told.met(bitsOf(used))) return used
  return needed(strengths, { every: demand.every | told.bit, one: demand.one }, proofs)
}

/**
 * A client that asks for itself has authenticated as it is registered, or it would not be here. There is no factor that
 * it could be asked for, so it is never challenged, and it meets `any` and nothing else.
 */
function answerClient(strengths: Strengths, terms: Terms, wanted: Wanted): Answer {
  const required = requiredBy(strengths, terms, wanted.one)
  const met = required.strength === 'any' && required.within === undefined && !wanted.unmet
  return {
    outcome: met ? 'allow' : 'deny',
    required,
    satisfied_by: met ? ['client'] : [],
    missing: [],
    ...tokenLimits(terms),
    ...(wanted.unmet && { unmet: true }),
  }
}

function requiredBy(strengths: Strengths, terms: Terms, more: number): Required {
  const [strength, ...also] = namesIn(strengths, terms.strengths | more)
  const within = terms.fresh ? '0s' : terms.within?.text
  return { strength: strength!, ...(also.length > 0 && { also }), ...(within && { within }) }
}

function limits({ idle, max, ends }: Terms, at: number | undefined): Decision['session'] | undefined {
  if (!idle && !max && ends.length === 0) return undefined
  const next = at === undefined || ends.length === 0 ? undefined : Math.min(...ends.map((end) => around(end, at).next))
  return {
    ...(idle && { idle: idle.text }),
    ...(max && { max: max.text }),
    ...(next !== undefined && { ends: new Date(next).toISOString() }),
  }
}
