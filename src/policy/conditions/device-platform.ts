import { oneOf } from './shapes.ts'

export const devicePlatform = oneOf(
  'device.platform',
  'the platform of the device is not known',
  (facts) => facts.device?.platform,
)
