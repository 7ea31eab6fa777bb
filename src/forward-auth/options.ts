/** What the door needs of the rest of the house. */
import type { Access } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Diagnosis } from '#diagnosis'
import type { People } from '#directory'
import type { Keys } from '#keys'
import type { Presenter } from '#pages'
import type { Devices, Sessions } from '#sessions'
import type { Signin } from '#signin'
import type { Storage } from '#storage'

export interface ForwardAuthOptions {
  readonly issuer: string
  /** Networks whose word counts. */
  readonly proxies: readonly string[]
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly keys: Keys
  readonly people: People
  readonly sessions: Sessions
  readonly devices: Devices
  readonly catalog: Catalog
  readonly diagnosis: Diagnosis
  readonly access: Access
  readonly signin: Signin
  readonly presenter: Presenter
  /** The operator's own sentence on where to get help. */
  readonly support?: string | undefined
  /** Each time that somebody is refused, with the code. */
  readonly refused?: ((code: string) => void) | undefined
}
