import type { Condition } from '../condition.ts'
import { oneOf } from './shapes.ts'

export const devicePlatform: Condition = {
  ...oneOf('device.platform', 'the platform of the device is not known', (facts) => facts.device?.platform),
  needs: () => [{ signal: 'platform' }],
}
