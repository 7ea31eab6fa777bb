/** Entrances of the gateway's own that no administrator could pass. */
import { parseDuration } from '#core/duration'
import { decide } from '../decide.ts'
import type { Decision } from '../decision.ts'
import { givable, OWN_FACTORS } from '../factors.ts'
import type { Facts } from '../facts.ts'
import type { Policies, Policy, Rule } from '../policies.ts'
import { type Finding, finding } from './finding.ts'
import { type Budget, type Found, type Requirement, search } from './search.ts'
import { MONDAY, type Situation } from './variables.ts'
import { createWorld, type World } from './world.ts'

type Kind = NonNullable<NonNullable<Facts['request']>['kind']>

/** The group whose members administer, as the first start makes it. */
const ADMINISTRATORS = 'administrators'

/** The policy that decides about the console, by its name in `policies/`. */
export const CONSOLE_POLICY = 'administrators'

/** What the gateway's own pages ask, by the name of the policy. */
export const ENTRANCES: readonly { readonly policy: string; readonly kind: Kind; readonly what: string }[] =
  Object.freeze([
    { policy: 'account', kind: 'app', what: 'see the launcher and the account page' },
    { policy: 'account', kind: 'account', what: 'change how they sign in' },
    { policy: CONSOLE_POLICY, kind: 'admin', what: 'reach the console' },
  ])

/** `installed`: these policies are for a gateway that exists, so an entrance that is missing is closed to everybody. */
export function findLockouts(policies: Policies, installed: boolean, budget: Budget): Finding[] {
  const missing = new Set(ENTRANCES.map(({ policy }) => policy).filter((name) => !policies.find(name)))
  return [
    ...[...missing].map((name) => {
      const does = ENTRANCES.flatMap(({ policy, what }) => (policy === name ? [what] : [])).join(', nor ')
      const message = `there is no policy \`${name}\`, so nobody can ${does}`
      const at = { line: `${policies.folder}:1`, column: 1 }
      return finding('entrance-without-policy', at, message, installed ? 'error' : 'warning')
    }),
    ...ENTRANCES.flatMap(({ policy: name, kind, what }) => {
      const policy = policies.find(name)
      if (!policy) return []
      const lets = letsIn(policies, policy, kind, budget)
      if (lets === 'none')
        return finding(
          'administrators-locked-out',
          policy,
          `\`${name}\` never lets a member of \`${ADMINISTRATORS}\` ${what} (\`request.kind: ${kind}\`), whatever they give`,
        )
      const sure = `to be sure that administrators can ${what}`
      if (lets === 'untried')
        return finding('condition-untried', policy, `\`${name}\` has conditions that cannot be tried out ${sure}`)
      if (lets === 'unsure')
        return finding('too-many-combinations', policy, `\`${name}\` has too many combinations ${sure}`)
      return []
    }),
  ]
}

/** Of an entrance. Trying out more takes seconds; whether the administrators there are could get in is asked besides. */
export const MOST_RULES = 2000

/** Looks for facts with which an administrator who has just given every factor there is would be allowed. */
export function letsIn(policies: Policies, policy: Policy, kind: Kind, budget: Budget): Found | 'untried' {
  const others = policies.baseline && policies.baseline !== policy ? [policies.baseline] : []
  const rules = [policy, ...others].flatMap((one) => one.rules.filter(({ mode }) => mode === 'enforce'))
  // a server that follows a folder asks this between two requests
  if (rules.length > MOST_RULES) return 'unsure'
  const world = createWorld(policies, rules)
  const given = (): Situation => ({ user: { groups: [ADMINISTRATORS] }, request: { kind } })
  const rightKind: Requirement = {
    needs: world.variables.has('request.kind') ? ['request.kind'] : [],
    holds: (situation) => situation.request?.kind === kind,
  }
  let answer: 'none' | 'unsure' = 'none'
  for (const chosen of combinations([policy, ...others])) {
    // the way to a rule behind thousands of others is long, and laying it out costs as well
    if (budget.left <= 0) return 'unsure'
    const paths = chosen.flatMap((rule, index) => pathTo(rule, [policy, ...others][index]!, world))
    const needs = [...new Set(paths.flatMap((path) => path.needs))]
    const holds = (situation: Situation) => {
      // a decision looks at every rule there is
      budget.left -= rules.length
      if (budget.left <= 0) return false
      const facts = withEverything(situation, needs.includes('at') ? situation.at : MONDAY)
      return letsStay(decide(policies, facts, { policy: policy.name }))
    }
    const requirements = [...paths, rightKind, { needs, holds }]
    const found = search({ variables: world.variables, requirements, given, budget })
    if (typeof found === 'object') return found
    if (found === 'unsure' || budget.left <= 0) answer = 'unsure'
  }
  // such a condition may be what opens it
  return world.free.length > 0 ? 'untried' : answer
}

/** Let in, and not for no time at all: the session would be over before the page is there. */
export const letsStay = ({ outcome, session }: Decision): boolean =>
  outcome === 'allow' && (session?.idle === undefined || parseDuration(session.idle) !== 0)

/** One rule that allows of each policy, in every combination. */
function combinations(policies: readonly Policy[]): Rule[][] {
  return policies.reduce<Rule[][]>(
    (all, { rules }) =>
      all.flatMap((some) =>
        rules.filter(({ mode, verdict }) => mode === 'enforce' && verdict !== 'deny').map((rule) => [...some, rule]),
      ),
    [[]],
  )
}

/** What must hold for the rule to decide and nothing before it to deny. */
function pathTo(rule: Rule, policy: Policy, world: World): Requirement[] {
  const earlier = policy.rules.slice(0, policy.rules.indexOf(rule)).filter(({ mode }) => mode === 'enforce')
  return [
    { needs: world.needs(rule), holds: (situation) => world.judge(rule, situation) === true },
    ...earlier.map((one) => ({
      needs: world.needs(one),
      holds: (situation: Situation) => {
        const truth = world.judge(one, situation)
        return one.verdict === 'deny' ? truth === false : truth !== true
      },
    })),
  ]
}

/** The facts with a session in which everything was given in this very moment. */
function withEverything(situation: Situation, at: Facts['at']): Facts {
  const authenticated = OWN_FACTORS.filter(givable).map((factor) => ({
    factor,
    at,
    ...(factor === 'passkey' && { user_verified: true, hardware: true }),
  }))
  return { ...situation, at, session: { ...situation.session, authenticated } }
}
