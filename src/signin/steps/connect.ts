/**
 * Both accounts are proved, and named once more before they become one.
 * ATTACK: somebody may have left a sign-in of their own at the other provider in this browser, so that it is theirs that
 * would be connected.
 */
import { connectView } from '#pages'
import { around, who } from './common.ts'
import { stranger } from './newcomer.ts'
import type { Step } from './step.ts'

export const connect: Step = {
  name: 'connect',
  show: (scene) =>
    connectView(
      { ...around(scene), ...stranger(scene), username: scene.username ?? '', ...who(scene) },
      scene.messages,
    ),
  take: (_, form) => ({ kind: 'connect', agreed: form.get('answer') === 'allow' }),
}
