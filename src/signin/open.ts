import type { Access } from '#access'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { People } from '#directory'
import type { Factors } from '#factors'
import { type Route, redirect } from '#http'
import type { Presenter } from '#pages'
import type { Devices, Sessions } from '#sessions'
import type { Storage } from '#storage'
import { createConversation } from './conversation.ts'
import { createErrands, type Errand, type Errands, type NewErrand, pathOf } from './errand.ts'

export interface SigninOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Audit
  readonly access: Access
  readonly people: People
  readonly factors: Factors
  readonly sessions: Sessions
  readonly devices: Devices
  readonly catalog: Catalog
  readonly presenter: Presenter
  /** The operator's sentence about where to get help. */
  readonly support: string | undefined
}

export interface SigninRooms extends SigninOptions {
  readonly errands: Errands
}

export interface Signin {
  readonly routes: readonly Route[]
  /** Writes the errand down and answers the path to send the browser to. */
  begin(errand: NewErrand): Promise<string>
  /** How the errand stands; undefined when it is unknown or too old. */
  find(id: string): Promise<Errand | undefined>
  /** Forgets the errand: its answer has been taken. */
  end(id: string): Promise<void>
}

export function openSignin(options: SigninOptions): Signin {
  const errands = createErrands(options.storage.state, options.clock)
  const conversation = createConversation({ ...options, errands })
  const begin = async (errand: NewErrand) => pathOf(await errands.begin(errand))

  return {
    begin,
    find: errands.find,
    end: errands.end,
    routes: [
      {
        method: 'GET',
        path: '/signin',
        handle: async (request) =>
          redirect(await begin({ kind: 'account', policy: 'account', returnTo: ownPath(request.query.get('return')) })),
      },
      { method: 'GET', path: '/signin/:errand', handle: conversation.get },
      { method: 'POST', path: '/signin/:errand', handle: conversation.post },
    ],
  }
}

/**
 * A path of ours, or the start page.
 * ATTACK: browsers read `//host`, `/\host` and control characters in a path as another site's address.
 */
export function ownPath(given: string | null): string {
  const safe = given !== null && given.length <= 512 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(given)
  return safe ? given : '/'
}
