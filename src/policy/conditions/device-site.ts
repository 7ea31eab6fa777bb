import { oneOf } from './shapes.ts'

export const deviceSite = oneOf('device.site', 'the site of the device is not known', (facts) => facts.device?.site)
