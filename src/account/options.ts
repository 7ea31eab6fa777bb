/** What the door needs of the rest of the house. */
import type { Access } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { People } from '#directory'
import type { Factors } from '#factors'
import type { Presenter, ScopeWords } from '#pages'
import type { Devices, Sessions } from '#sessions'
import type { Signin } from '#signin'

export interface AccountOptions {
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly access: Access
  readonly people: People
  readonly factors: Factors
  readonly sessions: Sessions
  readonly devices: Devices
  readonly catalog: Catalog
  readonly signin: Signin
  readonly presenter: Presenter
  /** What a person has agreed to, from the door that asked. */
  readonly consents?: {
    ofPerson(
      person: string,
    ): Promise<readonly { readonly app: string; readonly scopes: readonly (string | ScopeWords)[] }[]>
    withdraw(person: string, app: string): Promise<boolean>
  }
  /** Ends what an app was given for this person, or what all of them were. */
  readonly revoke?: (personId: string, app?: string) => Promise<void>
}
