/** Requests that wait while somebody signs in, in short-lived state under an id that nobody can guess. */
import { type Millis, minutes } from '#core/clock'
import type { State } from '#storage'
import type { Wish } from './request.ts'

export interface Kept {
  readonly wish: Wish
  /** In which session something was given for this request, on an errand begun when. */
  readonly proved?: { readonly session: string; readonly since: number }
}

export interface KeptRequests {
  keep(id: string, kept: Kept, length?: Millis): Promise<void>
  find(id: string): Promise<Kept | undefined>
  /** Of any number of tabs one gets it: an answer is given once. */
  take(id: string): Promise<Kept | undefined>
}

/** As long as somebody may sign in. */
export const LONGEST_WAIT: Millis = minutes(60)
/** What came by a form waits only until the browser comes on by itself: strangers can send forms without end. */
export const COMES_ON: Millis = minutes(1)

const ID = /^[A-Za-z0-9_-]{22,64}$/

export function createKeptRequests(state: State): KeptRequests {
  const key = (id: string) => `saml-request:${id}`
  const read = (text: string | undefined): Kept | undefined => (text === undefined ? undefined : JSON.parse(text))
  return {
    keep: (id, kept, length = LONGEST_WAIT) => state.set(key(id), JSON.stringify(kept), { ttl: length }),
    find: async (id) => (ID.test(id) ? read(await state.get(key(id))) : undefined),
    take: async (id) => (ID.test(id) ? read(await state.take(key(id))) : undefined),
  }
}
