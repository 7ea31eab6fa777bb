import { oneOf } from './shapes.ts'

export const userDirectory = oneOf(
  'user.directory',
  'the directory of the person is not known',
  (facts) => facts.user?.directory,
)
