/** Whether an account may be used, as its entry says. */
import type { Entry } from 'ldapts'
import type { Instant } from '#core/clock'
import { texts } from './ldap-values.ts'

type Template = 'openldap' | 'active-directory'

export interface Account {
  /** Switched off or past its end; undefined where the entry does not say. */
  readonly disabled: boolean | undefined
  /** For a time, after too many wrong passwords; or by an administrator of OpenLDAP, which is `disabled` as well. */
  readonly locked: boolean
  /** For the operator, in words: `disabled`, `locked`, … */
  readonly states: readonly string[]
}

export const ACCOUNT_ATTRIBUTES: Readonly<Record<Template, readonly string[]>> = Object.freeze({
  openldap: ['pwdAccountLockedTime', 'pwdReset'],
  'active-directory': [
    'userAccountControl',
    'accountExpires',
    'lockoutTime',
    'pwdLastSet',
    'msDS-User-Account-Control-Computed',
  ],
})

export function accountOf(entry: Entry, template: Template, now: Instant): Account {
  const value = (attribute: string): string | undefined => texts(entry, attribute)[0]
  if (template === 'openldap') {
    const locked = value('pwdAccountLockedTime')
    // draft-behera-ldap-password-policy-10 §5.3.3: locked by an administrator, and not for a time
    const disabled = locked === '000001010000Z'
    const states = [
      ...(disabled ? ['disabled'] : locked === undefined ? [] : ['locked after wrong passwords']),
      ...(value('pwdReset')?.toUpperCase() === 'TRUE' ? ['must change the password'] : []),
    ]
    return { disabled, locked: locked !== undefined, states }
  }
  const control = numberOf(value('userAccountControl'))
  const computed = numberOf(value('msDS-User-Account-Control-Computed'))
  const ends = instantOf(value('accountExpires'))
  const off = control !== undefined && (control & ACCOUNTDISABLE) !== 0
  const expired = ends !== undefined && ends <= now
  const locked = computed === undefined ? (numberOf(value('lockoutTime')) ?? 0) !== 0 : (computed & LOCKOUT) !== 0
  const mustChange = value('pwdLastSet') === '0' && ((control ?? 0) & DONT_EXPIRE_PASSWORD) === 0
  return {
    disabled: control === undefined && !expired ? undefined : off || expired,
    locked,
    states: [
      ...(off ? ['disabled'] : []),
      ...(expired ? ['account expired'] : []),
      ...(locked ? ['locked after wrong passwords'] : []),
      ...(mustChange ? ['must change the password'] : []),
      ...(!mustChange && ((computed ?? 0) & PASSWORD_EXPIRED) !== 0 ? ['password expired'] : []),
    ],
  }
}

/** [MS-ADTS] 2.2.16, and 3.1.1.4.5.17 for the computed ones. */
const ACCOUNTDISABLE = 0x2
const LOCKOUT = 0x10
const DONT_EXPIRE_PASSWORD = 0x10000
const PASSWORD_EXPIRED = 0x800000

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^-?\d{1,19}$/.test(text) ? Number(text) : undefined

/** [MS-DTYP] 2.3.3: tenths of microseconds since 1601. 0 and the largest number are never ([MS-ADA1] 2.1). */
function instantOf(text: string | undefined): Instant | undefined {
  if (text === undefined || !/^\d{1,19}$/.test(text)) return undefined
  const ticks = BigInt(text)
  return ticks === 0n || ticks === 0x7fffffffffffffffn ? undefined : Number(ticks / 10_000n) - 11_644_473_600_000
}
