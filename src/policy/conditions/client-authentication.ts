import { clientFact } from './client.ts'
import { oneOf } from './shapes.ts'

export const clientAuthentication = oneOf(
  'client.authentication',
  'it is not known how the client authenticated',
  clientFact('authentication'),
)
