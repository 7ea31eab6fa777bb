/** What the door needs of the rest of the house. */
import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Access } from '#access'
import type { AccessToken, Apis, Revocations } from '#apis'
import type { Catalog } from '#catalog'
import type { Quotas } from '#context'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { People } from '#directory'
import type { Keys } from '#keys'
import type { Devices, Sessions } from '#sessions'
import type { Storage } from '#storage'

export interface ApiAccessOptions {
  readonly issuer: string
  /** Networks whose word counts. */
  readonly proxies: readonly string[]
  readonly clock: Clock
  readonly log: Log
  readonly storage: Pick<Storage, 'state'>
  readonly keys: Pick<Keys, 'signing'>
  readonly people: Pick<People, 'recall'>
  readonly sessions: Pick<Sessions, 'recall'>
  readonly devices: Pick<Devices, 'byId'>
  readonly catalog: Pick<Catalog, 'apps'>
  readonly apis: Apis
  readonly revocations: Revocations
  readonly quotas: Pick<Quotas, 'take'>
  readonly access: Access
  /** With which a program came; one whose time is over, or that was taken back, is none. */
  clientCertificate(request: IncomingMessage): X509Certificate | undefined
  /** A living opaque token of ours, as of the beginning of the request. */
  opaqueToken(value: string): AccessToken | undefined | Promise<AccessToken | undefined>
  /** Each time that somebody is refused, with the code. */
  readonly refused?: ((code: string) => void) | undefined
}
