/** Whether one of the administrators there are could get in: one of each kind that rules can tell apart is looked at. */
import { setImmediate as others } from 'node:timers/promises'
import { ADMINISTRATORS, type People, type Person } from '#directory'
import { factsLookedAt, type Policies } from '#policy'
import { type Candidate, canReachConsole, ENTRANCES, type Reaching } from './console-reach.ts'

/** Places, devices and times that are tried, for all together: some seconds. */
const MOST_TRIED = 200_000
/** Each of them is read with what they have enrolled. */
const MOST_PEOPLE = 10_000
const PAGE = 500

export interface Looking {
  readonly people: Pick<People, 'list'>
  candidateOf(person: Person): Promise<Candidate>
  now(): number
}

/** `not-sure` where there was too much to try: no reason to refuse what somebody may well get in under. */
export async function someAdministratorReaches(
  policies: Policies,
  { people, candidateOf, now }: Looking,
  how: Reaching,
): Promise<'yes' | 'no' | 'nobody' | 'not-sure'> {
  const budget = { left: MOST_TRIED, cut: false }
  const tellApart = kindsUnder(policies)
  const seen = new Set<string>()
  let looked = 0
  for (let after: string | undefined; ; ) {
    const page = await people.list({
      group: ADMINISTRATORS,
      disabled: false,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    })
    for (const person of page) {
      if (budget.left <= 0 || looked++ >= MOST_PEOPLE) return 'not-sure'
      const candidate = await candidateOf(person)
      const kind = tellApart(candidate)
      if (seen.has(kind)) continue
      seen.add(kind)
      if (canReachConsole(policies, candidate, now(), { ...how, budget })) return 'yes'
      // a running server asks this as well, and has other things to do
      await others()
    }
    if (page.length < PAGE) break
    after = page.at(-1)!.id
  }
  if (looked === 0) return 'nobody'
  return budget.cut || budget.left <= 0 ? 'not-sure' : 'no'
}

/**
 * As what rules see somebody: of those who are alike none gets in where another does not.
 * INVARIANT: leaves out only what no rule of the entrances looks at.
 */
function kindsUnder(policies: Policies): (candidate: Candidate) => string {
  const lookedAt = factsLookedAt(policies, ENTRANCES)
  return ({ person, enrolled, known }) => {
    const { id, groups, organisation, directory, attributes } = person
    const factors = enrolled.map(({ kind, left, hardware }) => `${kind} ${left !== 0} ${hardware === true}`)
    return JSON.stringify([
      lookedAt.has('user.id') ? id : null,
      groups?.toSorted() ?? null,
      organisation ?? null,
      directory,
      Object.entries(attributes)
        .filter(([name]) => lookedAt.has(`user.attribute.${name}`))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      [...new Set(factors)].sort(),
      known,
    ])
  }
}
