/**
 * What came of telling an app about the end of a session, or of everything of a person. Written down by whoever learns it,
 * for whoever waits for it.
 */
import { minutes } from '#core/clock'
import type { State } from '#storage'

/** `trying`: it could not be reached so far. `refused`: it will never take this one, or did not for a whole day. */
export type Outcome = 'confirmed' | 'trying' | 'refused'

const REMEMBERED = minutes(60)
/** `of`: a session or, where all of a person have ended, the person. Both have random ids, so none is the other's. */
const keyOf = (of: string, app: string): string => `sign-out:${of}:${app}`

export const noteOutcome = (state: State, of: string, app: string, outcome: Outcome): Promise<void> =>
  state.set(keyOf(of, app), outcome, { ttl: REMEMBERED })

/** The app is about to be told anew. */
export const forgetOutcome = async (state: State, of: string, app: string): Promise<void> =>
  void (await state.delete(keyOf(of, app)))

export const outcomeOf = async (state: State, of: string, app: string): Promise<Outcome | undefined> =>
  (await state.get(keyOf(of, app))) as Outcome | undefined
