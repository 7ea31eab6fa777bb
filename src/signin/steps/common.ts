/** What the steps' pages have in common: where the form goes, why it is asked, what went wrong, the other ways. */

import { Refusal } from '#core/refusal'
import type { FactorKind } from '#factors'
import { possibleWays, rememberDays } from '../dispatch.ts'
import { pathOf } from '../errand.ts'
import { whyAsked } from '../reasons.ts'
import { type Form, fieldOf, type Outcome, type Scene } from './step.ts'

export function around(scene: Scene) {
  const { errand, app, refusal } = scene
  const why = whyAsked(scene)
  return {
    action: pathOf(errand),
    ...(app ? { app: app.name } : {}),
    ...(refusal ? { refusal: refusal.code } : {}),
    ...(refusal?.reference === undefined ? {} : { reference: refusal.reference }),
    ...(refusal?.retryAfter === undefined ? {} : { retryAfter: refusal.retryAfter }),
    ...(refusal && scene.support !== undefined ? { support: scene.support } : {}),
    ...(why ? { why } : {}),
    ...(otherWays(scene) && !errand.outcome ? { otherWay: pathOf(scene.errand, 'other') } : {}),
  }
}

const otherWays = (scene: Scene): boolean => scene.session !== undefined && possibleWays(scene).length > 1

/** Whose proof is asked for, and the way out for somebody else. */
export const who = (scene: Scene) =>
  scene.username === undefined ? {} : { username: scene.username, notYou: pathOf(scene.errand, 'somebody-else') }

/** Checks one factor and says what it amounted to. */
export async function prove(scene: Scene, kind: FactorKind, input: unknown, form: Form): Promise<Outcome> {
  const { errand, session, request, knownDevice, enrolledDevice } = scene
  const { personId, proof } = await scene.factors.verify(kind, input, {
    ...(session ? { personId: session.personId } : {}),
    ...(scene.username === undefined ? {} : { username: scene.username }),
    address: request.address,
    knownDevice,
    enrolledDevice,
    conversation: errand.id,
  })
  // ATTACK: the second factor of somebody else must not raise this session
  if (session && personId !== session.personId) throw new Refusal('input-invalid', 'proof of another person')
  return { kind: 'proved', personId, proof, remember: fieldOf(form, 'remember') === 'yes' }
}

/** Days for which the rule that asks would spare this device the second factor. */
export function rememberOffer(scene: Scene): { remember?: { days: number } } {
  const days = rememberDays(scene.verdict)
  return days !== undefined && scene.session ? { remember: { days } } : {}
}

/** The browser's answer about a passkey, which comes as JSON in a form field. */
export function credentialOf(form: Form): unknown {
  const text = fieldOf(form, 'credential', 65_536)
  try {
    return JSON.parse(text ?? '')
  } catch {
    throw new Refusal('passkey-invalid', 'credential is not json')
  }
}
