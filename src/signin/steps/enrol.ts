/** Adding what is missing, on the way: only offered where the policy for accounts allows it (`conversation.ts`). */

import { Refusal } from '#core/refusal'
import type { FactorKind } from '#factors'
import { enrolChoiceView, enrolPasskeyView, enrolTotpView } from '#pages'
import { pathOf } from '../errand.ts'
import { around, credentialOf } from './common.ts'
import { type Form, fieldOf, type Outcome, type Scene, type Step } from './step.ts'

export const enrolChoice: Step = {
  name: 'enrol-choice',
  show: (scene) =>
    enrolChoiceView({ ...around(scene), ways: scene.enrollable.map((kind) => ({ way: kind, kind })) }, scene.messages),
  take: (scene, form) => ({ kind: 'enrolling', factor: choice(scene, form) }),
}

export const enrolPasskey: Step = {
  name: 'enrol-passkey',
  async show(scene) {
    const options = await scene.factors.beginEnrolment('passkey', subject(scene))
    return enrolPasskeyView({ ...around(scene), options, back: pathOf(scene.errand, 'enrol') }, scene.messages)
  },
  take: (scene, form) => finish(scene, 'passkey', credentialOf(form)),
}

export const enrolTotp: Step = {
  name: 'enrol-totp',
  async show(scene) {
    const { secret, uri, qrSvg } = (await scene.factors.beginEnrolment('totp', subject(scene))) as {
      secret: string
      uri: string
      qrSvg?: string
    }
    return enrolTotpView(
      { ...around(scene), secret, uri, ...(qrSvg ? { qrSvg } : {}), back: pathOf(scene.errand, 'enrol') },
      scene.messages,
    )
  },
  take: (scene, form) => finish(scene, 'totp', fieldOf(form, 'code', 64) ?? ''),
}

function choice(scene: Scene, form: Form): FactorKind {
  const way = scene.enrollable.find((kind) => kind === form.get('way'))
  if (!way) throw new Refusal('factor-unknown', 'way is not offered')
  return way
}

function subject(scene: Scene) {
  const { session, errand, username = '', personName = '' } = scene
  if (!session) throw new Refusal('session-required', 'enrolment without a session')
  return { personId: session.personId, username, name: personName, conversation: errand.id }
}

async function finish(scene: Scene, kind: FactorKind, input: unknown): Promise<Outcome> {
  const { personId, conversation } = subject(scene)
  const { proof } = await scene.factors.finishEnrolment(kind, input, { personId, conversation })
  return { kind: 'enrolled', proof }
}
