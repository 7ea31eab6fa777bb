/** What a conversation adds to a person's past: prompts, failures, and sign-ins that were carried through. */
import { sha256 } from '#core/digest'
import type { Refusal } from '#core/refusal'
import type { RefusalCode } from '#core/refusals'
import type { Session } from '#sessions'
import { nextStep, type Situation } from './dispatch.ts'
import { ERRAND_LIFE } from './errand.ts'
import type { SigninRooms } from './rooms.ts'

const WRONG: readonly RefusalCode[] = ['password-wrong', 'password-unconfirmed', 'code-invalid', 'passkey-invalid']
const PROMPTS: readonly string[] = ['password', 'passkey', 'totp', 'recovery-code']

type Rooms = Pick<SigninRooms, 'access' | 'people' | 'storage' | 'prompted'>

/**
 * Somebody who is signed in is shown a page that asks for a factor. Counted once for each proof that is asked for, not
 * each time that the page is shown: the mark is a value of its own, for the errand may be written at the same time.
 */
export async function countPrompt({ access, storage, prompted }: Rooms, place: Situation): Promise<void> {
  const { session, errand } = place
  const step = nextStep(place)
  if (!PROMPTS.includes(step)) return
  prompted?.(step)
  if (!session || !access.memory.counts('prompts')) return
  const newest = Math.max(...session.authenticated.map(({ at }) => at))
  const first = await storage.state.add(`prompt:${errand.id}:${session.id}:${newest}`, '', { ttl: ERRAND_LIFE })
  if (first) await access.memory.count('prompts', session.personId)
}

/** A wrong answer counts for whoever it was tried as. */
export async function countFailure({ access, people }: Rooms, place: Situation, refusal: Refusal): Promise<void> {
  const { session, errand } = place
  if (!access.memory.counts('failures') || !WRONG.includes(refusal.code)) return
  const { username } = errand
  if (!session && username === undefined) return
  const person = session ? { id: session.personId } : await people.find(username!).catch(() => undefined)
  // ATTACK: the time that it takes must not tell whether there is such a person
  await access.memory.count('failures', person?.id ?? `nobody:${sha256(username!)}`)
}

/** All that was asked has been met, and something was given for it here: who merely passes by has not signed in. */
export async function keepSignIn(
  { access }: Pick<Rooms, 'access'>,
  { errand, verdict }: Situation,
  session: Session,
  address: string,
): Promise<void> {
  if (errand.session === session.id) await access.memory.signedIn(session.personId, address, verdict.facts)
}
