/** What comes of a registration: the client as it is told, or why not. */
import type { Instant } from '#core/clock'
import type { MetadataFault } from './metadata.ts'

export type RegistrationFault =
  | MetadataFault
  | { readonly error: 'invalid_token' }
  | { readonly error: 'access_denied'; readonly why: string }

export interface RegisteredClient {
  /** RFC 7591 §3.2.1, without the tokens. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly issuedAt: Instant
  readonly clientSecret?: string
  /** RFC 7592 §3; only where it was made just now. */
  readonly registrationToken?: string
}

export const isRegistrationFault = (one: RegisteredClient | RegistrationFault): one is RegistrationFault =>
  'error' in one
