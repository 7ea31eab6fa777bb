/** The one function that decides. Pure and synchronous: facts in, verdict and trace out. */
import { type Answer, answer } from './answer.ts'
import { judgeContract } from './contract.ts'
import { AUDIENCE, type Decision, DIRECTORY_DOWN } from './decision.ts'
import { FACTS_VERSION, type Facts } from './facts.ts'
import { judgeOutage } from './outage.ts'
import type { Policies, Policy } from './policies.ts'
import type { ConditionTrace } from './said.ts'
import { createScene, type Scene } from './scene.ts'
import type { Strengths } from './strengths.ts'
import { stricter, type Terms } from './terms.ts'
import type { Truth } from './truth.ts'
import { type Candidate, type Notes, type Walk, walk } from './walk.ts'
import { addWanted, wantedOf } from './wanted.ts'

type Draft = Omit<Decision, 'reported' | 'trace' | 'versions'>

export interface Deciding {
  readonly policy?: string
  /** False: the same judgement, and nothing written down about the way to it. For deciding very many. */
  readonly trace?: boolean
}

const DENIED = Object.freeze({ outcome: 'deny', satisfied_by: [], missing: [] } as const)

/**
 * Judges `options.policy`, else the policy of the app, and the baseline with it. No policy of that name denies; so does
 * any error on the way (INVARIANT: an error never lets anyone in).
 */
export function decide(policies: Policies, facts: Facts, options: Deciding = {}): Decision {
  const notes: Notes = { trace: options.trace === false ? undefined : [], reported: [] }
  let name: string | null = null
  let draft: Draft
  try {
    name = options.policy ?? facts.app?.policy ?? null
    const policy = name === null ? undefined : policies.find(name)
    draft = policy ? judge(policies, policy, facts, notes) : { ...DENIED, policy: name, rule: null, line: null }
  } catch (error) {
    // the message may repeat a fact, so only the kind of error is told
    const why = error instanceof Error ? error.name : 'error'
    const conditions = [{ condition: 'facts', result: 'error' as const, why }]
    notes.trace?.push({ policy: name ?? '', rule: '', line: null, matched: 'error', conditions })
    draft = { ...DENIED, policy: name, rule: null, line: null }
  }
  const { outcome, policy, rule, line, ...rest } = draft
  const versions = { policies: policies.version, facts: FACTS_VERSION }
  return { outcome, policy, rule, line, ...rest, reported: notes.reported, trace: notes.trace ?? [], versions }
}

function judge(policies: Policies, policy: Policy, facts: Facts, notes: Notes): Draft {
  const { strengthTable: strengths, baseline } = policies
  const scene = createScene(facts, policies.sites)
  const wanted = wantedOf(strengths, facts.request?.wanted)
  const weigh = (terms: Terms) => answer(strengths, addWanted(terms, wanted), wanted, scene)
  const closed =
    outsideAudience(policy, facts, notes) ?? duringOutage(policy, facts, notes) ?? againstContract(policy, scene, notes)
  if (closed) return closed
  const walks = [walk(policy, scene, notes, weigh)]
  if (baseline && baseline !== policy) walks.push(walk(baseline, scene, notes, weigh))

  const failed = walks.find((one) => one.failed)
  if (failed) return { ...DENIED, policy: failed.policy.name, rule: failed.failed!.name, line: failed.failed!.line }
  if (scene.subject === 'nobody') return nobody(walks, strengths, weigh)

  const candidates = walks.flatMap((one) => one.candidates)
  const denied = denial(walks, candidates)
  if (denied) return denied
  const terms = candidates.map(({ rule }) => rule.verdict).reduce(stricter) as Terms
  // the rule that is named is the first that alone would have asked the same
  const alike = candidates.find(({ rule }) => same(rule.verdict as Terms, terms))
  const { rule, policy: by } = alike ?? candidates.find(({ matched }) => matched === true)!
  return { ...weigh(terms), policy: by, rule: rule.name, line: rule.line }
}

/** The app's registration says which groups it is for; groups that are not known are taken for others. */
function outsideAudience(policy: Policy, facts: Facts, notes: Notes): Draft | undefined {
  const audience = facts.app?.audience
  if (!audience || audience.includes('*') || facts.user === undefined) return undefined
  const groups = facts.user.groups
  const matched: Truth = groups ? !groups.some((group) => audience.includes(group)) : 'unknown'
  const condition: ConditionTrace | undefined = notes.trace && {
    condition: 'user.groups',
    wanted: { none: audience },
    seen: groups ?? 'unknown',
    result: matched,
    ...(!groups && { why: 'the groups of the person are not known' }),
  }
  if (condition)
    notes.trace?.push({ policy: policy.name, rule: AUDIENCE, line: null, matched, conditions: [condition] })
  return matched === false ? undefined : { ...DENIED, policy: policy.name, rule: AUDIENCE, line: null }
}

/** Of somebody whose directory cannot be asked only what its settings declare for that time is open. */
function duringOutage(policy: Policy, facts: Facts, notes: Notes): Draft | undefined {
  const said = judgeOutage(facts)
  if (!said) return undefined
  const at = { policy: policy.name, rule: DIRECTORY_DOWN, line: null }
  notes.trace?.push({ ...at, matched: said.closed, conditions: [said.condition] })
  return said.closed ? { ...DENIED, ...at } : undefined
}

/** A partner's contract is judged before any rule, whoever's policy it is. */
function againstContract(policy: Policy, scene: Scene, notes: Notes): Draft | undefined {
  for (const { rule, closed, condition } of judgeContract(scene.facts, scene)) {
    const at = { policy: policy.name, rule, line: null }
    notes.trace?.push({ ...at, matched: closed, conditions: [condition] })
    if (closed !== false) return { ...DENIED, ...at }
  }
  return undefined
}

/** The denial that holds, where one may: a rule's own, with what it says, before that of no rule at all. */
function denial(walks: readonly Walk[], candidates: readonly Candidate[]): Draft | undefined {
  const found = candidates.find(({ rule }) => rule.verdict === 'deny')
  if (found) {
    const { rule, policy } = found
    const said = rule.deny && (rule.deny.say || rule.deny.do) ? { deny: rule.deny } : {}
    return { ...DENIED, policy, rule: rule.name, line: rule.line, ...said }
  }
  const open = walks.find((one) => one.open)
  return open && { ...DENIED, policy: open.policy.name, rule: null, line: open.policy.line }
}

/**
 * Nobody has signed in: a challenge where some rule could still allow, in the policy and in the baseline, for what all
 * those rules ask at least.
 */
function nobody(walks: readonly Walk[], strengths: Strengths, weigh: (terms: Terms) => Answer): Draft {
  let named: Candidate | undefined
  let asked: Terms | undefined
  for (const one of walks) {
    const allowing = one.candidates.filter(({ rule }) => rule.verdict !== 'deny')
    if (allowing.length === 0) return denial([one], one.candidates)!
    named ??= allowing[0]!
    const shared = allowing.reduce((set, { rule }) => set & (rule.verdict as Terms).strengths, -1)
    const least: Terms = { strengths: shared || strengths.find('any')!.bit, ends: [] }
    asked = asked ? (stricter(asked, least) as Terms) : least
  }
  const { policy, rule } = named!
  const weighed = weigh(asked!)
  return { ...weighed, outcome: weighed.unmet ? 'deny' : 'challenge', policy, rule: rule.name, line: rule.line }
}

const same = (a: Terms, b: Terms): boolean =>
  a.strengths === b.strengths &&
  a.within?.ms === b.within?.ms &&
  a.fresh === b.fresh &&
  a.idle?.ms === b.idle?.ms &&
  a.max?.ms === b.max?.ms &&
  a.remember?.ms === b.remember?.ms &&
  a.token?.ms === b.token?.ms &&
  a.scopes?.join(' ') === b.scopes?.join(' ') &&
  a.ends.length === b.ends.length
