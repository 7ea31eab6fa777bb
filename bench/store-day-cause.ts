/**
 * Why somebody was asked: the newest receipt of its kind, decided again. A step-up leaves a challenge; somebody unknown
 * leaves none when asked to sign in, so there the rule is the one that then let them in.
 */
import { join } from 'node:path'
import { createFriction, createReplay, type Friction, type Replayed } from '#access/reports'
import { decide, type Facts, loadPolicies } from '#policy'
import type { Gateway } from '../test/support/gateway.ts'

export interface Cause {
  readonly policy: string
  readonly rule: string
  /** `two-factors within 4h` */
  readonly required: string
}

export async function latestCause({ server, folder }: Gateway, outcome: 'challenge' | 'allow'): Promise<Cause> {
  const { policies } = loadPolicies(join(folder, 'policies'))
  let facts: Facts | undefined
  for await (const { receipts } of server.house.receipts.since(0))
    facts = receipts.findLast((receipt) => receipt.outcome === outcome)?.facts ?? facts
  if (!facts) return { policy: '', rule: 'no receipt', required: '' }
  const { policy, rule, required } = decide(policies!, facts)
  const within = required?.within ? ` within ${required.within}` : ''
  return { policy: policy ?? '', rule: rule ?? '', required: `${required?.strength ?? ''}${within}` }
}

/** The same day as `report prompts` and `policy replay` see it afterwards, in the receipts alone. */
export async function seenInReceipts({ server, folder }: Gateway): Promise<{ friction: Friction; replayed: Replayed }> {
  const policies = loadPolicies(join(folder, 'policies')).policies!
  const friction = createFriction({ since: 0, by: 'day', policiesOf: () => policies })
  const replay = createReplay({ candidate: policies, since: 0 })
  for await (const page of server.house.receipts.since(0)) {
    friction.add(page)
    replay.add(page)
  }
  return { friction: friction.end(), replayed: replay.end() }
}
