/** The two clients of the plans of FAPI 2.0, in each variant of them, and a provider that knows them. */
import { type Op, startOp } from '../op/op.ts'
import { manifestOf, type Party, partyOf } from './party.ts'

export interface Fapi {
  readonly op: Op
  readonly one: Party
  readonly two: Party
}

type Shown = Pick<Party, 'certificate' | 'known'>
/** The Foundation's `client_auth_type` and `sender_constrain`. */
const VARIANTS = {
  'private_key_jwt, dpop': [{}, {}],
  'private_key_jwt, mtls': [{ certificate: 'signed' }, { certificate: 'self' }],
  'mtls, mtls': [
    { certificate: 'signed', known: 'tls_client_auth' },
    { certificate: 'self', known: 'self_signed_tls_client_auth' },
  ],
} as const satisfies Record<string, readonly [Shown, Shown]>
export type Variant = keyof typeof VARIANTS

const parties = new WeakMap<Op, readonly [Party, Party]>()

const start = (profile: 'fapi2' | 'fapi2-message-signing', variant: Variant) => async (): Promise<Op> => {
  const [first, second] = VARIANTS[variant]
  let known: readonly [Party, Party] | undefined
  const op = await startOp('default', (origin, certificates) => {
    known = [partyOf(origin, 'fapi-one', first), partyOf(origin, 'fapi-two', second)]
    return known.map((party) => manifestOf(party, profile, certificates))
  })
  parties.set(op, known!)
  return op
}

export const startFapi = (variant: Variant = 'private_key_jwt, dpop') => start('fapi2', variant)
export const startSigning = (variant: Variant = 'private_key_jwt, dpop') => start('fapi2-message-signing', variant)

export const fapiOf = (op: Op): Fapi => {
  const [one, two] = parties.get(op)!
  return { op, one, two }
}
