/** The plans that run here, and the files with their modules. */
import { CLAIMS } from '../basic/claims.ts'
import { HAPPY } from '../basic/happy.ts'
import { REFUSALS } from '../basic/refusals.ts'
import { SESSIONS } from '../basic/sessions.ts'
import type { Plan } from '../op/plans.ts'

const BASIC_FILES = {
  'basic/happy.ts': HAPPY,
  'basic/claims.ts': CLAIMS,
  'basic/sessions.ts': SESSIONS,
  'basic/refusals.ts': REFUSALS,
}

export const BASIC: Plan = { name: 'oidcc-basic-certification-test-plan', files: BASIC_FILES }
export const FORM_POST: Plan = {
  name: 'oidcc-formpost-basic-certification-test-plan',
  files: BASIC_FILES,
  mode: 'form_post',
}
