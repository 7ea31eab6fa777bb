/**
 * Factors: how a person shows who they are. This room owns enrolled passkeys, TOTP secrets and recovery codes, and all
 * limits on guessing; passwords belong to the directory and are only checked through it.
 *
 * `factor.ts` is the contract, `kinds/list.ts` the list, `kinds/` has a file per member, and `host.ts` is `openFactors`:
 * throttling (`throttle.ts`, numbers in `limits.ts`), one-time challenges, pending enrolments, the audit trail.
 *
 * An answer passes: throttle → challenge spent → member's own check → trail → a proof with its time. What a proof is
 * worth, and whether the person may go on, is said elsewhere (`#policy`, `#access`).
 *
 * To add a factor: a file in `kinds/`, its row in `kinds/list.ts`, its harness in `test/contracts/factor.test.ts`, its
 * row in the policy room.
 */
export type { EnrolledFactor, FactorDescription, FactorKind, Proof } from './factor.ts'
export { type Attempt, type Factors, type FactorsOptions, openFactors } from './host.ts'
export { factorsMigrations } from './kinds/list.ts'
export {
  CHALLENGE_LIFE,
  FIRST_WAIT,
  LIMITS,
  LONGEST_WAIT,
  MOST_PASSKEYS,
  MOST_TOTPS,
  RECOVERY_CODES,
} from './limits.ts'
export { PasswordToRenew, type RenewalReason } from './to-renew.ts'
