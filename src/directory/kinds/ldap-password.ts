/** A new password for somebody who shows the current one: RFC 3062, or Active Directory's `unicodePwd`. */
import { Attribute, BerWriter, Change, ResultCodeError } from 'ldapts'
import { Refusal } from '#core/refusal'
import { bindAs, type Connected, codeOf, type Server, withConnection } from './ldap-connection.ts'

export interface NewPassword {
  readonly dn: string
  readonly current: string
  readonly next: string
}

/** RFC 3062 §2 */
const PASSWORD_MODIFY = '1.3.6.1.4.1.4203.1.11.1'

/** RFC 4511 appendix A.2: constraintViolation, invalidAttributeSyntax, insufficientAccessRights, unwillingToPerform. */
const REFUSES_CHANGE: ReadonlySet<number> = new Set([19, 21, 50, 53])

/**
 * As the person, on a connection of its own: nothing but this may be done on it while the password must be changed.
 * Throws `password-expired` where the server takes no change after the end, `password-refused`.
 */
export async function modifyPassword(server: Server, { dn, current, next }: NewPassword): Promise<'changed' | 'wrong'> {
  return withConnection(server, async (connected) => {
    const verdict = await bindAs(connected, dn, current, 'openldap')
    if (verdict === 'password-expired' || verdict === 'directory-forbids') throw new Refusal(verdict, 'password change')
    if (verdict !== 'right' && verdict !== 'password-must-change') return 'wrong'
    const writer = new BerWriter()
    writer.startSequence()
    // whose it is need not be said: it is that of whoever is bound
    writer.writeString(current, 0x81)
    writer.writeString(next, 0x82)
    writer.endSequence()
    await connected.client.exop(PASSWORD_MODIFY, writer.buffer).catch(refused)
    return 'changed'
  })
}

/**
 * [MS-ADTS] 3.1.1.3.1.5.1: taking the old value away and adding the new one is a change, which anybody may make who knows
 * the old one, also after its end; so it is sent on the connection of the service account. INVARIANT: over TLS only.
 */
export async function replaceUnicodePassword(
  { client }: Connected,
  { dn, current, next }: NewPassword,
): Promise<'changed' | 'wrong'> {
  const change = (operation: 'delete' | 'add', password: string) =>
    new Change({ operation, modification: new Attribute({ type: 'unicodePwd', values: [quoted(password)] }) })
  try {
    await client.modify(dn, [change('delete', current), change('add', next)])
    return 'changed'
  } catch (error) {
    // ERROR_INVALID_PASSWORD: it is the old one that is wrong
    if (error instanceof ResultCodeError && error.code === 19 && /^0*56\b/.test(error.message)) return 'wrong'
    return refused(error)
  }
}

/** Within quotation marks, in UTF-16. */
const quoted = (password: string): Buffer => Buffer.from(`"${password}"`, 'utf16le')

/** What the server says about the new password stays in the log: its words may hold names. */
function refused(error: unknown): never {
  if (error instanceof ResultCodeError && REFUSES_CHANGE.has(error.code))
    throw new Refusal('password-refused', `directory: ${codeOf(error)}`)
  throw error
}
