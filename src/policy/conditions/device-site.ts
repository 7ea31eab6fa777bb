import type { Condition } from '../condition.ts'
import { oneOf } from './shapes.ts'

export const deviceSite: Condition = {
  ...oneOf('device.site', 'the site of the device is not known', (facts) => facts.device?.site),
  needs: () => [{ signal: 'enrolment' }],
}
