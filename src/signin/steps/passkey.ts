/** A passkey as second factor or as the way chosen: one button. */
import { passkeyView } from '#pages'
import { around, credentialOf, prove, rememberOffer, who } from './common.ts'
import type { Step } from './step.ts'

export const passkey: Step = {
  name: 'passkey',
  async show(scene) {
    const personId = scene.session?.personId
    const options = await scene.factors.challenge('passkey', {
      conversation: scene.errand.id,
      ...(personId ? { personId } : {}),
    })
    return passkeyView({ ...around(scene), ...who(scene), ...rememberOffer(scene), options }, scene.messages)
  },
  take: (scene, form) => prove(scene, 'passkey', credentialOf(form), form),
}
