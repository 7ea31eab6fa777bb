/** What conditions on clients look at. */
import type { Facts } from '../facts.ts'

type Client = NonNullable<Facts['client']>

/** Where no client asks for itself none is any of those that a rule names, which is known. */
export const clientFact =
  <Name extends 'id' | 'organisation' | 'authentication' | 'network_known'>(name: Name) =>
  ({ client }: Facts): Client[Name] | null | undefined =>
    client === null ? null : client?.[name]
