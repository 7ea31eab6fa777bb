/** What a door asks. */
import type { App } from '#catalog'
import type { Instant } from '#core/clock'
import type { Person } from '#directory'
import type { Facts } from '#policy'
import type { Device, Enrolled, Session } from '#sessions'

export type Wanted = NonNullable<NonNullable<Facts['request']>['wanted']>

export interface Question {
  readonly kind: 'sign-in' | 'app' | 'api' | 'admin' | 'account' | 'helpdesk'
  /** The app that shall open; its policy decides. */
  readonly app?: App | undefined
  /** The name of the policy that decides: for what is no app, and where it is not the app's own. */
  readonly policy?: string
  readonly session?: Session | undefined
  /** The session's person, where the door has read it already. */
  readonly person?: Person | undefined
  readonly device?: Device | undefined
  /** What the browser is enrolled as (`enrolled.ts`); absent where none asks, or nobody looked. */
  readonly enrolled?: Enrolled
  readonly address: string
  /** When this very request began: what `within: 0s` counts from. */
  readonly startedAt: Instant
  /** What the app adds: never less than the policy (OIDC Core §3.1.2.1 acr_values, max_age, prompt=login). */
  readonly wanted?: Wanted
  /** An allow opens the app here and now, and is the first to do so: it counts as one opening. */
  readonly opens?: boolean
  /** Types of the authorization details that are asked for (RFC 9396). */
  readonly details?: readonly string[]
  /** A client that asks for itself. */
  readonly client?: { readonly id: string; readonly authentication: string; readonly scopes?: readonly string[] }
}
