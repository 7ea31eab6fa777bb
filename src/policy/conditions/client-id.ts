import { oneOf } from './shapes.ts'

export const clientId = oneOf('client.id', 'the client is not known', (facts) => facts.client?.id)
