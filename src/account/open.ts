/** The door put together: what it needs, and every address it answers. */
import type { Route } from '#http'
import { createConfirming } from './confirming.ts'
import { createDeviceEnrolment } from './device.ts'
import { createEndings } from './endings.ts'
import { createEnrolment } from './enrolment.ts'
import { createGate, type Visit } from './gate.ts'
import { createLauncher } from './launcher.ts'
import type { AccountOptions } from './options.ts'
import { createOverview } from './overview.ts'
import { createPasswordChange } from './password.ts'
import { createSignOut } from './sign-out.ts'
import { createWhy } from './why.ts'

export interface Account {
  readonly routes: readonly Route[]
}

export function openAccount(options: AccountOptions): Account {
  const gate = createGate(options)
  const confirming = createConfirming(options)
  const overview = createOverview(options, confirming)
  const enrolment = createEnrolment(options, overview)
  const password = createPasswordChange(options)
  const endings = createEndings(options, overview)
  const signOut = createSignOut(options)
  const device = createDeviceEnrolment(options)
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
    see('/', createLauncher(options, confirming)),
    see('/account', overview.show),
    see('/why/:receipt', createWhy(options)),
    { method: 'GET', path: '/confirmations', handle: confirming.look },
    see('/confirmations/:id', confirming.show),
    { method: 'POST', path: '/confirmations/:id', handle: gate('see', confirming.take) },
    ...form('/account/passkeys/new', enrolment.passkey),
    ...form('/account/totp/new', enrolment.totp),
    ...form('/account/recovery-codes/new', enrolment.recoveryCodes),
    { method: 'POST', path: '/account/recovery-codes/stored', handle: gate('see', enrolment.stored, '/account') },
    ...form('/account/password', password),
    button('/account/factors/:id/remove', endings.removeFactor),
    button('/account/sessions/end-others', endings.endOtherSessions),
    button('/account/sessions/end-all', endings.endEverything),
    button('/account/sessions/:id/end', endings.endSession),
    button('/account/devices/:id/forget', endings.forgetDevice),
    button('/account/consents/:app/withdraw', endings.withdrawConsent),
    { method: 'GET', path: '/device', handle: device.show },
    { method: 'GET', path: '/device/:code', handle: device.showGiven },
    { method: 'POST', path: '/device', handle: device.take },
    { method: 'GET', path: '/signout', handle: signOut.show },
    { method: 'POST', path: '/signout', handle: signOut.take },
  ]
  return Object.freeze({ routes })
}
