import { yesOrNo } from './shapes.ts'

export const deviceKnown = yesOrNo('device.known', 'the device was not told', (facts) => facts.device?.known)
