/** The user name; a passkey answers on the same page without one. */
import { Refusal } from '#core/refusal'
import { identifierView } from '#pages'
import { around, credentialOf, prove } from './common.ts'
import { fieldOf, type Step } from './step.ts'

const LONGEST_USERNAME = 256

export const identifier: Step = {
  name: 'identifier',
  async show(scene) {
    const hint = scene.errand.username ?? scene.errand.loginHint
    const options = await scene.factors.challenge('passkey', { conversation: scene.errand.id })
    return identifierView(
      { ...around(scene), ...(hint ? { username: hint.slice(0, LONGEST_USERNAME) } : {}), passkey: { options } },
      scene.messages,
    )
  },
  take(scene, form) {
    if (form.has('credential')) return prove(scene, 'passkey', credentialOf(form), form)
    const username = fieldOf(form, 'username', LONGEST_USERNAME)?.trim()
    if (!username) throw new Refusal('input-invalid', 'user name is empty')
    return { kind: 'identified', username }
  },
}
