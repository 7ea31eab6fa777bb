/**
 * What the answer to a bind says about a password and its account.
 *
 * ATTACK: what a bind says about an account is told to nobody who has not shown its password. Active Directory says
 * "locked" (775) whatever the password was, and so does a password policy of OpenLDAP; to the person that is a wrong
 * password like any other, and whoever guesses learns neither that the name exists nor that the guessing had an effect.
 */
import { PasswordPolicyControl, PasswordPolicyError, ResultCodeError } from 'ldapts'
import type { Held } from '../kind.ts'

type Template = 'openldap' | 'active-directory'

/** `locked` proves nothing about the password. The others but `wrong` say that it was right. */
export type BindVerdict = 'right' | 'wrong' | 'locked' | 'disabled' | Held['held']

/** What is sent along with the bind of a person, and looked at afterwards. */
export const policyControl = (template: Template): PasswordPolicyControl | undefined =>
  template === 'openldap' ? new PasswordPolicyControl() : undefined

/**
 * What the answer to a bind with a person's password says.
 * @param error undefined where the server took it
 * Throws `error` where it says nothing about the password.
 */
export function verdictOf(error: unknown, policy: PasswordPolicyControl | undefined): BindVerdict {
  const said = policy?.value?.error
  // such a server lets nobody do anything but change it, and does not say so otherwise
  if (error === undefined) return said === PasswordPolicyError.ChangeAfterReset ? 'password-must-change' : 'right'
  if (!(error instanceof ResultCodeError) || !REFUSES_PERSON.has(error.code)) throw error
  // looked at only after the password was compared (draft-behera-ldap-password-policy-10 §7.1)
  if (said === PasswordPolicyError.PasswordExpired) return 'password-expired'
  if (said === PasswordPolicyError.AccountLocked) return 'locked'
  const data = policy ? undefined : / data ([0-9a-f]{1,8}),/i.exec(error.message)?.[1]?.toLowerCase()
  return (data !== undefined && Object.hasOwn(DATA, data) ? DATA[data] : undefined) ?? 'wrong'
}

/**
 * RFC 4511 appendix A.2: constraintViolation (locked after too many tries), noSuchObject, inappropriateAuthentication
 * (no password), invalidCredentials, unwillingToPerform (switched off). A referral, busy or unavailable is not among them.
 */
const REFUSES_PERSON: ReadonlySet<number> = new Set([19, 32, 48, 49, 53])

/** Active Directory's diagnostics, hexadecimal Windows errors. All but `locked` are said after the right password only. */
const DATA: Readonly<Record<string, BindVerdict>> = {
  530: 'directory-forbids', // not at this hour
  531: 'directory-forbids', // not on this machine
  532: 'password-expired',
  533: 'disabled',
  701: 'disabled', // the account has expired
  773: 'password-must-change',
  775: 'locked',
}
