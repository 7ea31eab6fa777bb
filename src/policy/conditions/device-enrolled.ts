import { yesOrNo } from './shapes.ts'

export const deviceEnrolled = yesOrNo(
  'device.enrolled',
  'it is not known whether the device is enrolled',
  (facts) => facts.device?.enrolled,
)
