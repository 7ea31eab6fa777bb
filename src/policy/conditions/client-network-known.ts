import { clientFact } from './client.ts'
import { yesOrNo } from './shapes.ts'

/** Where no program asks for itself there is nothing that a network could be new to. */
export const clientNetworkKnown = {
  ...yesOrNo('client.network_known', 'it is not known yet from where this program comes', clientFact('network_known')),
  needs: () => [{ signal: 'client_past' }] as const,
}
