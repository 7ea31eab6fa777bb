/** What a short way is: one member of `list.ts`. */
import type { IncomingMessage } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { Apis } from '#apis'
import type { App } from '#catalog'
import type { Clock } from '#core/clock'
import type { Diagnosis } from '#diagnosis'
import type { People } from '#directory'
import type { Keys } from '#keys'
import type { TokenJudge } from '../token-judge.ts'

export interface Rooms {
  readonly engine: Provider
  readonly issuer: string
  readonly clock: Clock
  readonly keys: Pick<Keys, 'signing'>
  readonly people: Pick<People, 'byId'>
  readonly judge: TokenJudge
  readonly apis: Pick<Apis, 'all'>
  /** Undefined: from now on. Otherwise the second with which the token begins (`ended.ts`). */
  startOf(token: object): Promise<number | undefined>
  readonly diagnosis: Pick<Diagnosis, 'redeemed' | 'worked'>
}

export type Client = InstanceType<Provider['Client']>

export interface Asking {
  readonly request: IncomingMessage
  readonly app: App
  readonly client: Client
  readonly fields: ReadonlyMap<string, string>
}

/** The body of the token response (RFC 6749 §5.1). */
export type TokenResponse = Readonly<Record<string, string | number | undefined>>

/** One grant type in its usual shape. */
export interface Way {
  /** Exactly these, beside `grant_type`. */
  readonly fields: readonly string[]
  /** Each of these may be there as well. */
  readonly optional?: readonly string[]
  /** Undefined: the engine shall answer, and nothing has been changed. */
  open(rooms: Rooms): (asking: Asking) => Promise<TokenResponse | undefined>
}
