/** An app that is not ours asks once what it may know. */
import { consentView } from '#pages'
import { around } from './common.ts'
import type { Step } from './step.ts'

export const consent: Step = {
  name: 'consent',
  show(scene) {
    const { consent = [], consentWords = {}, consentDetails: details = [] } = scene.errand
    const scopes = consent.map((scope) => consentWords[scope] ?? scope)
    const { username } = scene
    return consentView(
      { action: around(scene).action, app: scene.app?.name ?? '', scopes, details, ...(username ? { username } : {}) },
      scene.messages,
    )
  },
  // anything but a clear yes is a no
  take: (_scene, form) => ({ kind: 'ended', outcome: form.get('answer') === 'allow' ? 'consented' : 'declined' }),
}
