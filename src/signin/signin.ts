/**
 * Sign-in: the conversation, and the only room that talks to a person about who they are.
 *
 * A door that needs an answer begins an errand ("open this app", "show the account") and sends the browser to it. At
 * every request the dispatcher asks `access/` and chooses the next step from the verdict; a step shows one page or takes
 * one form, and returns. Steps never call or redirect to each other. When access allows, the browser goes back to where
 * the errand came from, and that door asks again before it lets anyone in.
 *
 * - `errand.ts`       what was wanted, and how far it has come      - `dispatch.ts` the one place that chooses the next step
 * - `conversation.ts` the requests                                  - `place.ts`    where somebody stands
 * - `outcome.ts`      what a form amounted to, carried out          - `proved.ts`   from a proof to a session
 * - `past.ts`         what a sign-in adds to a person's past
 * - `steps/list.ts`   the steps, a file each                        - `reasons.ts`  why somebody is asked
 * - `help.ts`         what would help them                        - `away.ts`, `departures.ts` to another provider and back
 * - `help.ts`         what would help them                        - `sign-out.ts`  the way out, and how far it has come
 */
export { DEPARTURE_LIMIT } from './departures.ts'
export type { Errand, NewErrand } from './errand.ts'
export { helpWith } from './help.ts'
export { openSignin, type Signin } from './open.ts'
export { reasonsFor } from './reasons.ts'
export type { SigninOptions } from './rooms.ts'
