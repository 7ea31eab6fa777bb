import { clientFact } from './client.ts'
import { oneOf, words } from './shapes.ts'

/** A client has the id of its app. */
export const clientId = oneOf('client.id', 'the client is not known', clientFact('id'), words, 'app')
