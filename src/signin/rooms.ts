/** What the conversation needs of the rest of the house. */
import type { Access } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Settings } from '#config'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { People } from '#directory'
import type { Factors } from '#factors'
import type { Presenter } from '#pages'
import type { Devices, Sessions } from '#sessions'
import type { Storage } from '#storage'
import type { Errands } from './errand.ts'
import type { UpstreamSessions } from './upstream-sessions.ts'

export interface SigninOptions {
  readonly storage: Storage
  /** Our own public URL. */
  readonly issuer: string
  readonly clock: Clock
  readonly audit: Audit
  readonly log: Log
  /** Who is sent where to sign in. */
  readonly routing: Settings['routing']
  readonly access: Access
  readonly people: People
  readonly factors: Factors
  readonly sessions: Sessions
  readonly devices: Devices
  readonly catalog: Catalog
  readonly presenter: Presenter
  /** Takes back what apps hold for a person. */
  readonly revoke?: (personId: string) => Promise<void>
  /** The operator's sentence about where to get help. */
  readonly support: string | undefined
}

export interface SigninRooms extends SigninOptions {
  readonly errands: Errands
  readonly upstreamSessions: UpstreamSessions
}
