/** The two clients of the plans of FAPI 2.0, and a provider that knows them. */
import { type Op, startOp } from '../op/op.ts'
import { manifestOf, type Party, partyOf } from './party.ts'

export interface Fapi {
  readonly op: Op
  readonly one: Party
  readonly two: Party
}

const parties = new WeakMap<Op, readonly [Party, Party]>()

async function start(profile: 'fapi2' | 'fapi2-message-signing'): Promise<Op> {
  let known: readonly [Party, Party] | undefined
  const op = await startOp('default', (origin) => {
    known = [partyOf(origin, 'fapi-one'), partyOf(origin, 'fapi-two')]
    return known.map((party) => manifestOf(party, profile))
  })
  parties.set(op, known!)
  return op
}

export const startFapi = (): Promise<Op> => start('fapi2')
export const startSigning = (): Promise<Op> => start('fapi2-message-signing')

export const fapiOf = (op: Op): Fapi => {
  const [one, two] = parties.get(op)!
  return { op, one, two }
}
