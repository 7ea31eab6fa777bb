import { oneOf } from './shapes.ts'

export const userId = oneOf('user.id', 'the person is not known', (facts) => facts.user?.id)
