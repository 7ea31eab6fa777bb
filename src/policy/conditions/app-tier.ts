import { oneOf } from './shapes.ts'

export const appTier = oneOf('app.tier', 'the tier of the app is not known', (facts) => facts.app?.tier)
