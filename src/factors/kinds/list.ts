/** Every factor there is. A new one: its file here beside, and its row. */
import type { Migration } from '#storage'
import type { FactorRow } from '../factor.ts'
import { passkey } from './passkey.ts'
import { password } from './password.ts'
import { recoveryCode } from './recovery-code.ts'
import { totp } from './totp.ts'

export const FACTORS: readonly FactorRow[] = Object.freeze([password, passkey, totp, recoveryCode])

export const factorsMigrations: readonly Migration[] = Object.freeze(FACTORS.flatMap((row) => row.migrations))
