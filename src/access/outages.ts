/** What an outage of a person's directory adds to the facts, and what of it stays behind when it is over. */
import type { People, PersonOutage } from '#directory'
import type { Facts } from '#policy'
import type { Proof } from '#sessions'
import type { Question } from './question.ts'

export type OutageSource = Pick<People, 'standing' | 'tiersWhileDown'>

/** As the policy language has it; nothing where the directory answers. */
export const outageFacts = (outage: PersonOutage | undefined): Pick<NonNullable<Facts['user']>, 'outage'> =>
  outage
    ? {
        outage: {
          since: outage.since,
          until: outage.until,
          tiers: outage.tiers,
          ...(outage.verified === undefined ? {} : { verified: outage.verified }),
          ...(outage.groupsAt === undefined ? {} : { groups_at: outage.groupsAt }),
        },
      }
    : {}

/** Portico's own pages for looking are no app of any tier, which is known. */
export const isOwnPage = ({ app, kind }: Pick<Question, 'app' | 'kind'>): boolean =>
  app === undefined && (kind === 'app' || kind === 'sign-in')

/**
 * The proofs that count for this question.
 * ATTACK: a password that was only compared with what was kept of it may have been an old one. What was declared for the
 * outage is all that it ever opens, also once the directory is back.
 */
export function countingProofs(
  proofs: readonly Proof[],
  question: Pick<Question, 'app' | 'kind'>,
  tiers: readonly string[],
): readonly Proof[] {
  if (!proofs.some(({ duringOutage }) => duringOutage)) return proofs
  const low = isOwnPage(question)
    ? tiers.length > 0
    : question.kind === 'app' && tiers.includes(question.app?.tier ?? '')
  return low ? proofs : proofs.filter(({ duringOutage }) => !duringOutage)
}
