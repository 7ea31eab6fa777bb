import { REQUEST_KINDS } from '../facts.ts'
import { choice, oneOf } from './shapes.ts'

const kinds = choice(REQUEST_KINDS)

export const requestKind = oneOf(
  'request.kind',
  'the kind of the request is not known',
  (facts) => facts.request?.kind,
  kinds,
)
