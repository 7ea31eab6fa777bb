/**
 * The rules that no file writes for what partners ask: a contract says from where it may be, and until when. They only ever
 * deny, so nothing becomes weaker by them; what is not known closes.
 */
import { PARTNER_ENDED, PARTNER_NETWORKS } from './decision.ts'
import type { Facts } from './facts.ts'
import { instant } from './instants.ts'
import type { ConditionTrace } from './said.ts'
import type { Scene } from './scene.ts'
import type { Truth } from './truth.ts'
import { containsAny, parseRange } from './zones.ts'

export interface ContractSaid {
  readonly rule: string
  readonly closed: Truth
  readonly condition: ConditionTrace
}

/** Networks by the list they stand in: a registered app has the same one until it changes. */
const known = new WeakMap<readonly string[], (address: string) => boolean>()

function networksOf(list: readonly string[]): (address: string) => boolean {
  let contains = known.get(list)
  if (!contains) {
    // ATTACK: one that cannot be read is none: the rest is narrower, never wider
    contains = containsAny(list.flatMap((text) => parseRange(text) ?? []))
    known.set(list, contains)
  }
  return contains
}

/** All that the contract has to say; nothing where there is none. */
export function* judgeContract({ at, app }: Facts, { address }: Pick<Scene, 'address'>): Generator<ContractSaid> {
  const { ends, networks } = app?.partner ?? {}
  if (ends !== undefined) {
    const [now, end] = [instant(at), instant(ends)]
    const closed: Truth = now === undefined || end === undefined ? 'unknown' : now >= end
    const condition = { condition: 'app.partner.ends', wanted: { since: ends }, seen: at ?? 'unknown', result: closed }
    yield { rule: PARTNER_ENDED, closed, condition }
  }
  if (networks !== undefined) {
    const closed: Truth = address === undefined ? 'unknown' : !networksOf(networks)(address)
    const condition = {
      ...{ condition: 'network', wanted: { outside: networks }, seen: address ?? 'unknown', result: closed },
      ...(closed === 'unknown' && { why: 'the address is not known' }),
    }
    yield { rule: PARTNER_NETWORKS, closed, condition }
  }
}
