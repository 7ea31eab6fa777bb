/** `policy explain --receipt`: a stored decision, the policies that made it, and what would help now. */
import { createPoliciesThen, nowOf, type Receipt } from '#access'
import { Refusal } from '#core/refusal'
import { createLacking, type Decision, type Facts, type Policies, type Suggestion, suggest } from '#policy'
import type { Context, House } from '../verb.ts'

export type StoredDecision = Omit<Receipt, 'person' | 'app' | 'gathered'> & Partial<Pick<Receipt, 'gathered'>>

export type FindReceipt = (house: House, reference: string) => Promise<StoredDecision | undefined>

export interface Deciding {
  /** Undefined where there is nothing to decide by. */
  readonly policies: Policies | undefined
  /** What would help is told by these. */
  readonly inForce: Policies | undefined
}

/**
 * The version that decided it, where that is stored; else those in force, which `readInForce` reads: that they cannot be
 * read keeps nobody from being told what was decided by others.
 */
export async function decidingFor(
  receipt: StoredDecision,
  context: Context,
  readInForce: () => Promise<Policies | undefined>,
): Promise<Deciding> {
  const inForce = await readInForce().catch((error: unknown) => {
    if (!(error instanceof Refusal) || error.code !== 'version-unknown') throw error
    context.err(`${error.code}: ${error.say} (${error.detail})`)
    return undefined
  })
  if (!inForce) context.err('the policies in force cannot be read, so what would help now cannot be told')
  const then = createPoliciesThen((await context.open()).versions)
  return { policies: (await then(receipt, inForce)) ?? inForce, inForce }
}

/** What would help now, by the policies in force, with what the person has; `passes` where they would let it pass as it was. */
export async function helpNow(
  receipt: StoredDecision,
  { inForce }: Deciding,
  context: Context,
  enrolled: readonly string[],
): Promise<Suggestion | 'passes' | undefined> {
  const { facts } = receipt
  if (!facts || !inForce || receipt.outcome === 'allow') return undefined
  const id = facts.app?.id ?? undefined
  const app = id === undefined ? undefined : await (await context.open()).catalog.apps.find(id)
  const now = nowOf(receipt, app, inForce)
  return now === 'asks' ? suggest(inForce, facts, { enrolled }) : now === 'passes' ? now : undefined
}

export function storedLines(
  receipt: StoredDecision,
  { policies, inForce }: { readonly policies: Policies; readonly inForce: Policies | undefined },
  decision: Decision,
  help: Suggestion | 'passes' | undefined,
): string[] {
  const decider =
    receipt.policies !== policies.version
      ? `policies ${receipt.policies}, which are not stored and not those in force now`
      : inForce && inForce.version !== policies.version
        ? 'these policies, which are not those in force now'
        : 'these policies'
  return [
    decidedLine(receipt),
    `decided by ${decider}; decided again:`,
    ...lackingLines(receipt, receipt.facts!, policies, decision),
    ...(help === 'passes' ? ['the policies in force now would let it pass'] : []),
    '',
  ]
}

function lackingLines({ gathered }: StoredDecision, facts: Facts, policies: Policies, decision: Decision): string[] {
  const lacking = createLacking(policies).in(decision, facts, gathered)
  if (lacking.length === 0) return []
  return [
    gathered
      ? `nobody looked for this then, as no rule needed it, so it is unknown here: ${lacking.join(', ')}`
      : `the receipt does not tell whether somebody looked for this then: ${lacking.join(', ')}`,
  ]
}

export const decidedLine = ({ reference, at, outcome, policy, rule, facts }: StoredDecision): string =>
  [
    `${reference}  ${new Date(at).toISOString()}  ${outcome}  ${policy ?? 'no policy'} › ${rule ?? 'no rule'}`,
    ...(facts?.user?.username ? [`  by ${facts.user.username}`] : []),
    ...(facts?.app?.id ? [`  to ${facts.app.id}`] : []),
  ].join('')
