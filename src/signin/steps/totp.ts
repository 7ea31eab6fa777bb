/** Codes: from an authenticator app, and the ones stored for a bad day. */
import { recoveryCodeView, totpView } from '#pages'
import { around, prove, rememberOffer, who } from './common.ts'
import { fieldOf, type Step } from './step.ts'

export const totp: Step = {
  name: 'totp',
  show: (scene) => totpView({ ...around(scene), ...who(scene), ...rememberOffer(scene) }, scene.messages),
  take: (scene, form) => prove(scene, 'totp', fieldOf(form, 'code', 64) ?? '', form),
}

export const recoveryCode: Step = {
  name: 'recovery-code',
  show: (scene) => recoveryCodeView({ ...around(scene), ...who(scene) }, scene.messages),
  take: (scene, form) => prove(scene, 'recovery-code', fieldOf(form, 'code', 64) ?? '', form),
}
