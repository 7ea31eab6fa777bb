import { someOf } from './shapes.ts'

/** Their types. A request that names none asks for none. */
export const requestAuthorizationDetails = someOf(
  'request.authorization_details',
  'the request is not known',
  ({ request }) => request && (request.authorization_details ?? []),
)
