/** What this door needs of the rest of the house, and what its own files share. */
import type { Access } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Diagnosis } from '#diagnosis'
import type { Outbound } from '#http'
import type { Keys } from '#keys'
import type { Presenter } from '#pages'
import type { Devices, Sessions, SignOuts } from '#sessions'
import type { Signin } from '#signin'
import type { Storage } from '#storage'
import type { KeptRequests } from './kept.ts'
import type { SamlKeys } from './keys.ts'
import type { Names } from './names.ts'
import type { OpenedApps } from './opened.ts'
import type { Responses } from './response.ts'

export interface SamlOptions {
  readonly issuer: string
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly keys: Pick<Keys, 'seal' | 'unseal'>
  readonly samlKeys: SamlKeys
  readonly sessions: Sessions
  readonly devices: Devices
  readonly signOuts: SignOuts
  readonly catalog: Catalog
  readonly diagnosis: Diagnosis
  readonly access: Access
  readonly signin: Signin
  readonly presenter: Presenter
  readonly outbound: Outbound
}

export interface SamlRooms extends SamlOptions {
  readonly kept: KeptRequests
  readonly names: Names
  readonly opened: OpenedApps
  readonly responses: Responses
}
