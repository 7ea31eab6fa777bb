import { clientFact } from './client.ts'
import { oneOf } from './shapes.ts'

export const clientOrganisation = oneOf(
  'client.organisation',
  'the organisation of the client is not known',
  clientFact('organisation'),
)
