/** Somebody came from another provider whom nobody here knows: are they new, or do they have an account here? */
import { Refusal } from '#core/refusal'
import { newcomerView } from '#pages'
import { pathOf } from '../errand.ts'
import { around } from './common.ts'
import type { Scene, Step } from './step.ts'

/** Whom the provider told of, and its name. */
export function stranger({ errand, factors: _, ...scene }: Scene) {
  const { directory, vouched } = errand.arrived!
  const provider = scene.choices.find(({ id }) => id === directory)?.title ?? directory
  return { provider, account: vouched.person.mail ?? vouched.person.usernames[0] }
}

export const newcomer: Step = {
  name: 'newcomer',
  show: (scene) =>
    newcomerView(
      {
        ...around(scene),
        ...stranger(scene),
        may: scene.errand.may ?? [],
        notYou: pathOf(scene.errand, 'somebody-else'),
      },
      scene.messages,
    ),
  take(scene, form) {
    const answer = form.get('answer')
    const chosen = scene.errand.may?.find((one) => one === answer)
    if (!chosen) throw new Refusal('input-invalid', 'no such answer')
    return { kind: 'newcomer', answer: chosen }
  },
}
