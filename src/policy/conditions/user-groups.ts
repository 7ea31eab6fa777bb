import { someOf } from './shapes.ts'

export const userGroups = someOf(
  'user.groups',
  'the groups of the person are not known',
  (facts) => facts.user?.groups,
  'group',
)
