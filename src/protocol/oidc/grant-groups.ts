/** Where grants and what hangs on them are found: by grant, and by person. */
import type { State, StateEntry } from '#storage'

/** Everything issued under a grant. */
export const grantGroup = (grantId: string): string => `grant:${grantId}`
/** A person's grants. */
export const grantsOf = (personId: string): string => `grants-of:${personId}`
export const grantKey = (grantId: string): string => objectKey('Grant', grantId)
/** Questions of apps to whomever they name (`ciba/asked.ts`). */
export const addresseeGroup = (addressee: string): string => `asked:${addressee}`
/** What the engine remembers beside a session of ours. */
export const engineSessionKey = (sessionId: string): string => `engine-session:${sessionId}`
/** One object of the engine's: a code, a token, a grant … */
export const objectKey = (model: string, id: string): string => `oidc:${model}:${id}`

/** What is issued under one grant lies in both: codes and access tokens in one, refresh tokens in the other. */
export interface Stores {
  readonly state: State
  readonly durable: State
}

const storesOf = ({ state, durable }: Stores): readonly State[] => (state === durable ? [state] : [durable, state])

/** Ends everything issued under a grant: first what lives longest. */
export async function deleteIssued(stores: Stores, grantId: string): Promise<void> {
  for (const store of storesOf(stores)) await store.deleteGroup(grantGroup(grantId))
}

export async function issuedUnder(stores: Stores, grantId: string): Promise<StateEntry[]> {
  return (await Promise.all(storesOf(stores).map((store) => store.group(grantGroup(grantId))))).flat()
}
