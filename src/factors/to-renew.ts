/** The password is right, and lets nobody in before its owner has chosen another one. */
import { Refusal } from '#core/refusal'

export type RenewalReason = 'password-expired' | 'password-must-change'

/**
 * A refusal like any other for whoever offers no such change; who does learns whose password it is.
 * INVARIANT: only thrown after the right password, and only where it can be changed here.
 */
export class PasswordToRenew extends Refusal {
  readonly personId: string
  readonly reason: RenewalReason

  constructor(reason: RenewalReason, personId: string) {
    super(reason, 'to be renewed')
    this.reason = reason
    this.personId = personId
  }
}
