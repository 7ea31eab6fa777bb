import { choice, oneOf } from './shapes.ts'

const kinds = choice(['personal', 'shared'])

export const deviceKind = oneOf(
  'device.kind',
  'the kind of the device is not known',
  (facts) => facts.device?.kind,
  kinds,
)
