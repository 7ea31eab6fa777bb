/**
 * The directory has said that the password is right and has to be changed first. The current one is asked for once more:
 * it is kept nowhere in between, and each form stands for itself, under the same limits as the step before.
 */
import { Refusal } from '#core/refusal'
import { PasswordToRenew } from '#factors'
import { newPasswordView } from '#pages'
import { around, prove, who } from './common.ts'
import { LONGEST_PASSWORD } from './password.ts'
import { type Form, fieldOf, type Outcome, type Scene, type Step } from './step.ts'

export const newPassword: Step = {
  name: 'new-password',
  show: (scene) =>
    newPasswordView(
      { ...around(scene), username: '', ...who(scene), because: scene.errand.toRenew ?? 'password-must-change' },
      scene.messages,
    ),

  async take(scene, form) {
    const [current, next] = ['current', 'password'].map((name) => fieldOf(form, name, LONGEST_PASSWORD) ?? '')
    if (!current || !next) throw new Refusal('input-invalid', 'a password is missing')
    const renewal = await ask(scene, current, form)
    // it was changed elsewhere, or is not asked for any more
    if (!(renewal instanceof PasswordToRenew)) return { kind: 'renewed' }
    await scene.changePassword(renewal.personId, { current, next })
    // INVARIANT: what lets in is the new one, checked like any other
    return prove(scene, 'password', next, form).catch((error: unknown) => {
      // the change is done, so this page is over: the next one asks for the new password
      if (error instanceof Refusal) return { kind: 'renewed' }
      throw error
    })
  },
}

/** What the directory says to the current password. ATTACK: a change that did not count as a try would be a way to guess. */
const ask = (scene: Scene, current: string, form: Form): Promise<Outcome | PasswordToRenew> =>
  prove(scene, 'password', current, form).catch((error: unknown) => {
    if (error instanceof PasswordToRenew) return error
    throw error
  })
