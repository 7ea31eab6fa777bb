/** What came of telling an app about the end of a session. Written down by whoever learns it, for whoever waits for it. */
import { minutes } from '#core/clock'
import type { State } from '#storage'

/** `trying`: it could not be reached so far. `refused`: it will never take this one, or did not for a whole day. */
export type Outcome = 'confirmed' | 'trying' | 'refused'

const REMEMBERED = minutes(60)
const keyOf = (sessionId: string, app: string): string => `sign-out:${sessionId}:${app}`

export const noteOutcome = (state: State, sessionId: string, app: string, outcome: Outcome): Promise<void> =>
  state.set(keyOf(sessionId, app), outcome, { ttl: REMEMBERED })

export const outcomeOf = async (state: State, sessionId: string, app: string): Promise<Outcome | undefined> =>
  (await state.get(keyOf(sessionId, app))) as Outcome | undefined
