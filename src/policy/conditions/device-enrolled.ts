import type { Condition } from '../condition.ts'
import { yesOrNo } from './shapes.ts'

export const deviceEnrolled: Condition = {
  ...yesOrNo('device.enrolled', 'it is not known whether the device is enrolled', (facts) => facts.device?.enrolled),
  needs: () => [{ signal: 'enrolment' }],
}
