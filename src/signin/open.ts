import { type Route, redirect } from '#http'
import { createConversation } from './conversation.ts'
import { createErrands, type Errand, type NewErrand, pathOf } from './errand.ts'
import type { SigninOptions } from './rooms.ts'

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
          redirect(await begin({ kind: 'app', policy: 'account', returnTo: ownPath(request.query.get('return')) })),
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
