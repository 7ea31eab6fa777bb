/** What the door needs of the rest of the house. */
import type { Access, Verdict, Wanted } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock, Instant } from '#core/clock'
import type { Log } from '#core/log'
import type { People, Person } from '#directory'
import type { Factors } from '#factors'
import type { DetailWords, Presenter, ScopeWords } from '#pages'
import type { Device, Devices, Enrolled, Session, Sessions } from '#sessions'
import type { Signin } from '#signin'

/** Somebody in front of their own screen. */
export interface Answerer {
  readonly person: Person
  readonly session: Session
  readonly device: Device | undefined
  readonly enrolled: Enrolled
  readonly address: string
  readonly startedAt: Instant
}

/** Each is answered once; what is over, or was never asked of them, is Refusal `confirmation-over`. */
export interface AskedOfPeople {
  of(who: Answerer): Promise<
    readonly {
      readonly id: string
      readonly app: { readonly name: string }
      readonly asker?: string
      readonly message?: string
      readonly scopes: readonly (string | ScopeWords)[]
      readonly details: readonly DetailWords[]
      readonly askedAt: Instant
      readonly until: Instant
      readonly outcome: Verdict['outcome']
    }[]
  >
  approve(
    id: string,
    who: Answerer,
  ): Promise<
    | { readonly kind: 'approved' }
    | { readonly kind: 'prove'; readonly app: string; readonly wanted?: Wanted }
    | { readonly kind: 'refused'; readonly reference: string }
  >
  refuse(id: string, who: Answerer, about: { readonly disown: boolean; readonly reference: string }): Promise<void>
}

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
  /** What apps ask people on screens of their own, from the door that lets apps ask. */
  readonly confirmations?: AskedOfPeople
  /** Ends what an app was given for this person, or what all of them were. */
  readonly revoke?: (personId: string, app?: string) => Promise<void>
}
