/** What the conversation needs of the rest of the house. */
import type { Access } from '#access'
import type { Catalog } from '#catalog'
import type { Settings } from '#config'
import type { Diagnosis } from '#diagnosis'
import type { People } from '#directory'
import type { Factors } from '#factors'
import type { Devices } from '#sessions'
import type { Storage } from '#storage'
import type { Errands } from './errand.ts'
import type { SignOut, SignOutRooms } from './sign-out.ts'
import type { UpstreamSessions } from './upstream-sessions.ts'

export interface SigninOptions extends SignOutRooms {
  readonly storage: Storage
  /** Who is sent where to sign in. */
  readonly routing: Settings['routing']
  readonly access: Access
  readonly people: People
  readonly factors: Factors
  readonly devices: Devices
  readonly catalog: Catalog
  readonly diagnosis: Diagnosis
  /** Takes back what apps hold for a person. */
  readonly revoke?: (personId: string) => Promise<void>
  /** The operator's sentence about where to get help. */
  readonly support: string | undefined
  /** Each time that a page that asks for a factor is shown, with the factor. */
  readonly prompted?: ((factor: string) => void) | undefined
}

export interface SigninRooms extends SigninOptions {
  readonly errands: Errands
  readonly upstreamSessions: UpstreamSessions
  readonly signOut: SignOut
}
