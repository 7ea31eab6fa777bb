import { oneOf, words } from './shapes.ts'

export const appId = oneOf('app.id', 'the app is not known', (facts) => facts.app?.id, words, 'app')
