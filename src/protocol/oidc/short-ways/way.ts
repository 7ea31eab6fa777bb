/** What a short way is: one member of `list.ts`. */
import type { IncomingMessage } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { Apis } from '#apis'
import type { App } from '#catalog'
import type { Clock } from '#core/clock'
import type { Diagnosis } from '#diagnosis'
import type { People } from '#directory'
import type { Keys } from '#keys'
import type { ProvingKeys } from '../proving-keys.ts'
import type { Redemptions } from '../redemption.ts'
import type { Spending } from '../replay.ts'
import type { TokenJudge } from '../token-judge.ts'

export interface Rooms {
  readonly engine: Provider
  readonly issuer: string
  readonly clock: Clock
  readonly keys: Pick<Keys, 'signing' | 'derive'>
  readonly people: Pick<People, 'byId'>
  readonly judge: TokenJudge
  readonly apis: Pick<Apis, 'all'>
  /** Undefined: from now on. Otherwise the second with which the token begins (`ended.ts`). */
  startOf(token: object): Promise<number | undefined>
  readonly spending: Pick<Spending, 'onceBy' | 'again'>
  readonly redemptions: Pick<Redemptions, 'tooLate'>
  readonly provingKeys: Pick<ProvingKeys, 'provenBy'>
  readonly diagnosis: Pick<Diagnosis, 'redeemed' | 'worked'>
}

export type Client = InstanceType<Provider['Client']>

export interface Asking {
  readonly request: IncomingMessage
  readonly app: App
  readonly client: Client
  readonly fields: ReadonlyMap<string, string>
  /** Thumbprint of the key by which the client has shown who it is (RFC 7638), where it has signed. */
  readonly key: string | undefined
  /** Thumbprint of the key to which the token is to be bound (RFC 9449). */
  readonly jkt: string | undefined
  /** INVARIANT: to be called before anything is judged or given out, and followed only where it answers true. */
  spend(): Promise<boolean>
}

/** The body of the token response (RFC 6749 §5.1). */
export type TokenResponse = Readonly<Record<string, string | number | undefined>>

export interface Given {
  readonly body: TokenResponse
  /** INVARIANT: the last thing that is written before the answer. False: another copy was sooner, and nothing is given. */
  spend?(): Promise<boolean>
}

/** One grant type in its usual shape. */
export interface Way {
  /** Exactly these, beside `grant_type`. */
  readonly fields: readonly string[]
  /** Each of these may be there as well. */
  readonly optional?: readonly string[]
  /** Its tokens can be bound to a key. */
  readonly binds?: true
  /** Undefined: the engine shall answer, and nothing has been changed. */
  open(rooms: Rooms): (asking: Asking) => Promise<Given | undefined>
}
