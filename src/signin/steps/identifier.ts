/** The user name; a passkey answers on the same page without one. */
import { Refusal } from '#core/refusal'
import { identifierView } from '#pages'
import { pathOf } from '../errand.ts'
import { around, credentialOf, prove } from './common.ts'
import { fieldOf, type Step } from './step.ts'

const LONGEST_USERNAME = 256

export const identifier: Step = {
  name: 'identifier',
  async show(scene) {
    const hint = scene.errand.username ?? scene.errand.loginHint
    const options = await scene.factors.challenge('passkey', { conversation: scene.errand.id })
    const choices = scene.choices.map(({ id, title, silent }) => ({
      ...{ href: pathOf(scene.errand, `away=${id}`), name: title, silent },
    }))
    return identifierView(
      {
        ...around(scene),
        ...(hint ? { username: hint.slice(0, LONGEST_USERNAME) } : {}),
        passkey: { options },
        // whoever proves the account they have here does not go there again
        ...(choices.length > 0 && !scene.errand.connecting ? { choices } : {}),
      },
      scene.messages,
    )
  },
  take(scene, form) {
    if (form.has('credential')) return prove(scene, 'passkey', credentialOf(form), form)
    const username = fieldOf(form, 'username', LONGEST_USERNAME)?.trim()
    if (!username) throw new Refusal('input-invalid', 'user name is empty')
    const goTo = scene.errand.connecting ? undefined : scene.route(username)
    return { kind: 'identified', username, goTo }
  },
}
