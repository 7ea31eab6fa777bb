/** A password that is right, and a directory that lets nobody in with it: why is for the administrator, under a reference. */
import type { Refusal } from '#core/refusal'
import type { RefusalCode } from '#core/refusals'
import type { SigninRooms } from './rooms.ts'

const HELD: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'directory-forbids',
  'password-expired',
  'password-must-change',
  'person-disabled',
])

/** The reference that the page shows; undefined for what people mend by typing again. */
export function noteHeld(
  { log }: Pick<SigninRooms, 'log'>,
  { code, detail, subject: person }: Refusal,
  request: string,
): string | undefined {
  if (!HELD.has(code)) return undefined
  log.warn('sign-in-refused', { request, code, detail, ...(person && { person }) })
  return request
}
