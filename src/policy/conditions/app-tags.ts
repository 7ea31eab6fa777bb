import { someOf } from './shapes.ts'

export const appTags = someOf('app.tags', 'the tags of the app are not known', (facts) => facts.app?.tags)
