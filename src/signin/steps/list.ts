/** Every step there is. A new one is a file here, a line below, and a place in `dispatch.ts`. */
import type { StepName } from '../dispatch.ts'
import { connect } from './connect.ts'
import { consent } from './consent.ts'
import { enrolChoice, enrolPasskey, enrolTotp } from './enrol.ts'
import { identifier } from './identifier.ts'
import { newPassword } from './new-password.ts'
import { newcomer } from './newcomer.ts'
import { passkey } from './passkey.ts'
import { password } from './password.ts'
import { refused } from './refused.ts'
import type { Step } from './step.ts'
import { recoveryCode, totp } from './totp.ts'

export const STEPS: Readonly<Record<Exclude<StepName, 'leave' | 'away'>, Step>> = Object.freeze({
  identifier,
  newcomer,
  connect,
  password,
  'new-password': newPassword,
  passkey,
  totp,
  'recovery-code': recoveryCode,
  'enrol-choice': enrolChoice,
  'enrol-passkey': enrolPasskey,
  'enrol-totp': enrolTotp,
  consent,
  refused,
})
