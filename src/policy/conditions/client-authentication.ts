import { oneOf } from './shapes.ts'

export const clientAuthentication = oneOf(
  'client.authentication',
  'it is not known how the client authenticated',
  (facts) => facts.client?.authentication,
)
