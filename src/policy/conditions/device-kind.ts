import type { Condition } from '../condition.ts'
import { choice, oneOf } from './shapes.ts'

const kinds = choice(['personal', 'shared'])

export const deviceKind: Condition = {
  ...oneOf('device.kind', 'the kind of the device is not known', (facts) => facts.device?.kind, kinds),
  needs: () => [{ signal: 'enrolment' }],
}
