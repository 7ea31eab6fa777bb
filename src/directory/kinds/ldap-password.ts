/** A new password for somebody who shows the current one: RFC 3062, or Active Directory's `unicodePwd`. */
import { Attribute, BerWriter, Change, PasswordPolicyControl, PasswordPolicyError, ResultCodeError } from 'ldapts'
import { Refusal } from '#core/refusal'
import type { RefusalCode } from '#core/refusals'
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
 * Throws `password-expired` where the server takes no change after the end, and what it has against the new one:
 * `password-too-short`, `password-weak`, `password-in-history`, `password-too-young`, else `password-refused`.
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
    const policy = new PasswordPolicyControl()
    await connected.client
      .exop(PASSWORD_MODIFY, writer.buffer, policy)
      .catch((error: unknown) => refused(error, POLICY[policy.value?.error ?? -1]))
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
    const said = error instanceof Error ? error.message : ''
    return refused(error, WORDS.find(([words]) => words.test(said))?.[1])
  }
}

/** Within quotation marks, in UTF-16. */
const quoted = (password: string): Buffer => Buffer.from(`"${password}"`, 'utf16le')

/** draft-behera-ldap-password-policy-10 §6.2: what a password policy has against the new one. */
const POLICY: Readonly<Record<number, RefusalCode>> = {
  [PasswordPolicyError.InsufficientPasswordQuality]: 'password-weak',
  [PasswordPolicyError.PasswordTooShort]: 'password-too-short',
  [PasswordPolicyError.PasswordTooYoung]: 'password-too-young',
  [PasswordPolicyError.PasswordInHistory]: 'password-in-history',
}

/** Samba says which rule it was. Domain controllers of Microsoft say ERROR_PASSWORD_RESTRICTION to all of them. */
const WORDS: readonly (readonly [RegExp, RefusalCode])[] = [
  [/^0*52D\b.*\btoo short\b/, 'password-too-short'],
  [/^0*52D\b.*\btoo young\b/, 'password-too-young'],
  [/^0*52D\b.*\balready used\b/, 'password-in-history'],
  [/^0*52D\b.*\bcomplexity\b/, 'password-weak'],
]

/** `because`: the rule, where the server says one. Its words stay where they are: they may hold names. */
function refused(error: unknown, because: RefusalCode = 'password-refused'): never {
  if (error instanceof ResultCodeError && REFUSES_CHANGE.has(error.code))
    throw new Refusal(because, `directory: ${codeOf(error)}`)
  throw error
}
