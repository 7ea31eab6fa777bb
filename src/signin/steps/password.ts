/** The password, asked of everybody alike whether the user name exists or not. */
import { PasswordToRenew } from '#factors'
import { passwordView } from '#pages'
import { around, prove, who } from './common.ts'
import { fieldOf, type Step } from './step.ts'

export const LONGEST_PASSWORD = 4096

export const password: Step = {
  name: 'password',
  show: (scene) => passwordView({ ...around(scene), username: '', ...who(scene) }, scene.messages),
  take: (scene, form) =>
    prove(scene, 'password', fieldOf(form, 'password', LONGEST_PASSWORD) ?? '', form).catch((error: unknown) => {
      if (error instanceof PasswordToRenew) return { kind: 'to-renew', because: error.reason }
      throw error
    }),
}
