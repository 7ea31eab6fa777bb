/**
 * Why somebody was asked: the newest receipt of its kind, decided again. A step-up leaves a challenge; somebody unknown
 * leaves none when asked to sign in, so there the rule is the one that then let them in.
 */
import { join } from 'node:path'
import { decide, type Facts, loadPolicies } from '#policy'
import type { Gateway } from '../test/support/gateway.ts'

export interface Cause {
  readonly policy: string
  readonly rule: string
  /** `two-factors within 4h` */
  readonly required: string
}

type Tables = { receipts: { id: number; outcome: string; facts: string } }

export async function latestCause({ server, folder }: Gateway, outcome: 'challenge' | 'allow'): Promise<Cause> {
  const { policies } = loadPolicies(join(folder, 'policies'))
  const receipt = await server.house.storage.records
    .withTables<Tables>()
    .selectFrom('receipts')
    .select('facts')
    .where('outcome', '=', outcome)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!receipt) return { policy: '', rule: 'no receipt', required: '' }
  const { policy, rule, required } = decide(policies!, JSON.parse(receipt.facts) as Facts)
  const within = required?.within ? ` within ${required.within}` : ''
  return { policy: policy ?? '', rule: rule ?? '', required: `${required?.strength ?? ''}${within}` }
}
