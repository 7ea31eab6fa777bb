/** Access tokens that a client shows for somebody: whether they live, and whether whoever they speak for is still there. */
import type { AccessToken, AccessTokens, Revocations } from '#apis'
import type { People, Person } from '#directory'
import type { Session, Sessions } from '#sessions'

export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

export interface ShownRooms {
  readonly people: Pick<People, 'byId'>
  readonly sessions: Pick<Sessions, 'byId'>
  readonly revocations: Pick<Revocations, 'current'>
  readonly tokens: AccessTokens
  opaqueToken(text: string): AccessToken | undefined | Promise<AccessToken | undefined>
}

/** Undefined where it is none of ours, over, or revoked. */
export async function livingToken(
  text: string,
  { tokens, opaqueToken, revocations }: Pick<ShownRooms, 'tokens' | 'opaqueToken' | 'revocations'>,
): Promise<AccessToken | undefined> {
  const shown = text.includes('.') ? tokens.read(text) : await opaqueToken(text)
  if (shown === undefined || typeof shown === 'string') return undefined
  return (await revocations.current()).has(shown) ? undefined : shown
}

/** INVARIANT: of somebody who is switched off or has signed out it says nothing. A token of a program speaks for nobody. */
export async function spokenFor(
  { subject, session: id }: AccessToken,
  { people, sessions }: Pick<ShownRooms, 'people' | 'sessions'>,
): Promise<{ readonly person: Person; readonly session: Session } | undefined> {
  const person = await people.byId(subject)
  const session = id === undefined ? undefined : await sessions.byId(id)
  return person && !person.disabled && session?.personId === person.id ? { person, session } : undefined
}
