/** What a step is. The host (`conversation.ts`) owns routes, the session, the audit trail and what comes next. */
import type { App } from '#catalog'
import type { Arrived, Choice } from '#directory'
import type { FactorKind, Factors, RenewalReason } from '#factors'
import type { PageRequest } from '#http'
import type { Messages, View } from '#pages'
import type { Suggestion } from '#policy'
import type { Proof } from '#sessions'
import type { Situation, StepName } from '../dispatch.ts'
import type { Way } from '../errand.ts'

export interface Scene extends Situation {
  readonly request: PageRequest
  readonly messages: Messages
  readonly factors: Factors
  readonly app: App | undefined
  /** User name of the person behind the session, or what was typed. */
  readonly username: string | undefined
  /** Full name, for the authenticator that a passkey is made on. */
  readonly personName: string | undefined
  /** This device is known to the person who is signing in. */
  readonly knownDevice: boolean
  /** This device is one of the organisation's own. Looked up where a form is taken. */
  readonly enrolledDevice: boolean
  /** Other providers to sign in at, the one chosen last time first. */
  readonly choices: readonly Choice[]
  /** Where the settings send somebody of this user name. */
  route(username: string): string | undefined
  /** Where help is to be had: the operator's sentence. */
  readonly support: string | undefined
  /**
   * For somebody who has just shown the current one. Whoever knew it is signed out everywhere else. Throws what the
   * directory has against the new one.
   */
  changePassword(personId: string, passwords: { readonly current: string; readonly next: string }): Promise<void>
  /** The smallest change with which somebody who has signed in would get further. */
  suggestion(): Suggestion | undefined
  /** What went wrong with the form just sent. */
  readonly refusal?: {
    readonly code: import('#core/refusals').RefusalCode
    readonly retryAfter?: number
    readonly reference?: string
  }
}

/** What a form amounted to. */
export type Outcome =
  | { readonly kind: 'identified'; readonly username: string; readonly goTo?: string | undefined }
  /** They came back from another provider, and this is who they are here. */
  | { readonly kind: 'arrived'; readonly personId: string; readonly arrived: Arrived }
  | { readonly kind: 'newcomer'; readonly answer: 'create' | 'prove' }
  | { readonly kind: 'connect'; readonly agreed: boolean }
  | { readonly kind: 'proved'; readonly personId: string; readonly proof: Proof; readonly remember: boolean }
  /** The password is right, and has to be another one first. */
  | { readonly kind: 'to-renew'; readonly because: RenewalReason }
  /** It is another one now, or need not be: the new one is still to be shown. */
  | { readonly kind: 'renewed' }
  | { readonly kind: 'way'; readonly way: Way }
  | { readonly kind: 'enrolling'; readonly factor: FactorKind }
  | { readonly kind: 'enrolled'; readonly proof: Proof | undefined }
  | { readonly kind: 'ended'; readonly outcome: 'declined' | 'consented' | 'refused' }

export type Form = ReadonlyMap<string, string>

export interface Step {
  readonly name: StepName
  show(scene: Scene): Promise<View> | View
  /** Throws a `Refusal` for what the person can mend; it is shown on this very step. */
  take(scene: Scene, form: Form): Promise<Outcome> | Outcome
}

const LONGEST = 1024

/** A field of a form; missing or overlong is `undefined`. */
export function fieldOf(form: Form, name: string, longest = LONGEST): string | undefined {
  const value = form.get(name)
  return value === undefined || value.length > longest ? undefined : value
}
