/** Why two people are not made one, although something says that they are. Nothing here reads or writes. */
import type { Candidate } from './candidates.ts'
import type { Claim } from './matching.ts'
import type { MergeRules } from './rules.ts'

/** Codes, with what they mean for whoever has to decide. */
export const CONFLICTS = Object.freeze({
  'several-into': 'one person of `from` matches several of `into`',
  'several-from': 'several of `from` match one person of `into`',
  administrator: 'one of both is an administrator: take them out of the group first, and put them back afterwards',
  'break-glass': 'one of both is named in the setting `break_glass`',
  'one-disabled': 'one of both is disabled and the other is not',
  'different-mail':
    'both have a verified mail address, and not the same; `different_mail: home` keeps that of the home',
  'other-identity': 'both have an account of one directory, and a person can have only one',
  'merged-before': 'somebody of `from` became this person already',
} as const satisfies Record<string, string>)

export type Conflict = keyof typeof CONFLICTS

/** What is wrong with these two, whoever else there is. */
export function conflictsOf(from: Candidate, into: Candidate, rules: MergeRules): Conflict[] {
  const both = [from, into]
  const found: Conflict[] = []
  // ATTACK: whoever may write into one of the directories would become an administrator by looking like one
  if (both.some(({ administrator }) => administrator)) found.push('administrator')
  if (both.some(({ breakGlass }) => breakGlass)) found.push('break-glass')
  if (from.disabled !== into.disabled) found.push('one-disabled')
  const proven = both.every(({ mailProven }) => mailProven)
  if (rules.different_mail === 'conflict' && proven && from.mail !== into.mail) found.push('different-mail')
  const accounts = (one: Candidate, home: string) => new Set([home, ...one.linked])
  const theirs = accounts(into, rules.into)
  if ([...accounts(from, rules.from)].some((directory) => theirs.has(directory))) found.push('other-identity')
  return found
}

/** What is wrong with each claim, among all of them. `used`: ids of people whom somebody of `from` became before. */
export function judge(
  claims: readonly Claim[],
  rules: MergeRules,
  used: ReadonlySet<string>,
): { readonly claim: Claim; readonly conflicts: readonly Conflict[] }[] {
  const count = (side: 'from' | 'into') => {
    const counts = new Map<string, number>()
    for (const claim of claims) counts.set(claim[side].id, (counts.get(claim[side].id) ?? 0) + 1)
    return counts
  }
  const [ofFrom, ofInto] = [count('from'), count('into')]
  return claims.map((claim) => {
    const { from, into } = claim
    const conflicts: Conflict[] = [
      ...(ofFrom.get(from.id)! > 1 ? (['several-into'] as const) : []),
      ...(ofInto.get(into.id)! > 1 ? (['several-from'] as const) : []),
      ...(used.has(into.id) ? (['merged-before'] as const) : []),
      ...conflictsOf(from, into, rules),
    ]
    return { claim, conflicts }
  })
}
