/** The door put together: what it needs, and every address it answers. */
import type { Access } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { People } from '#directory'
import type { Factors } from '#factors'
import type { Route } from '#http'
import type { Presenter } from '#pages'
import type { Devices, Sessions } from '#sessions'
import type { Signin } from '#signin'
import { createEndings } from './endings.ts'
import { createEnrolment } from './enrolment.ts'
import { createGate, type Visit } from './gate.ts'
import { createLauncher } from './launcher.ts'
import { createOverview } from './overview.ts'
import { createPasswordChange } from './password.ts'
import { createSignOut } from './sign-out.ts'
import { createWhy } from './why.ts'

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
  /** Ids of the directories whose passwords are kept here; people of all others change theirs elsewhere. */
  readonly localDirectories: readonly string[]
  /** What a person has agreed to, from the door that asked. */
  readonly consents?: {
    ofPerson(person: string): Promise<readonly { readonly app: string; readonly scopes: readonly string[] }[]>
    withdraw(person: string, app: string): Promise<boolean>
  }
  /** Ends what an app was given for this person. */
  readonly revoke?: (personId: string, app: string) => Promise<void>
}

export interface Account {
  readonly routes: readonly Route[]
}

export function openAccount(options: AccountOptions): Account {
  const gate = createGate(options)
  const overview = createOverview(options)
  const enrolment = createEnrolment(options, overview)
  const password = createPasswordChange(options)
  const endings = createEndings(options, overview)
  const signOut = createSignOut(options)
  type Handle = (visit: Visit) => ReturnType<typeof overview.show>

  const see = (path: string, handle: Handle): Route => ({ method: 'GET', path, handle: gate('see', handle) })
  /** A form on a page of its own: asked for when it is shown and again when it comes. */
  const form = (path: string, { show, take }: { show: Handle; take: Handle }): Route[] => [
    { method: 'GET', path, handle: gate('change', show) },
    { method: 'POST', path, handle: gate('change', take) },
  ]
  /** A button on the account page. */
  const button = (path: string, handle: Handle): Route => ({
    method: 'POST',
    path,
    handle: gate('change', handle, '/account'),
  })

  const routes: Route[] = [
    see('/', createLauncher(options)),
    see('/account', overview.show),
    see('/why/:receipt', createWhy(options)),
    ...form('/account/passkeys/new', enrolment.passkey),
    ...form('/account/totp/new', enrolment.totp),
    ...form('/account/recovery-codes/new', enrolment.recoveryCodes),
    { method: 'POST', path: '/account/recovery-codes/stored', handle: gate('see', enrolment.stored, '/account') },
    ...form('/account/password', password),
    button('/account/factors/:id/remove', endings.removeFactor),
    button('/account/sessions/end-others', endings.endOtherSessions),
    button('/account/sessions/:id/end', endings.endSession),
    button('/account/devices/:id/forget', endings.forgetDevice),
    button('/account/consents/:app/withdraw', endings.withdrawConsent),
    { method: 'GET', path: '/signout', handle: signOut.show },
    { method: 'POST', path: '/signout', handle: signOut.take },
  ]
  return Object.freeze({ routes })
}
