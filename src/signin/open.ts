import { type Route, redirect } from '#http'
import { createConversation } from './conversation.ts'
import { createErrands, type Errand, type NewErrand, pathOf } from './errand.ts'
import type { SigninOptions } from './rooms.ts'
import { createSignOut, type SignOut } from './sign-out.ts'
import { createSignOutReturn } from './sign-out-return.ts'
import { createUpstreamEnding } from './upstream-ending.ts'
import { createUpstreamSessions } from './upstream-sessions.ts'

export interface Signin {
  readonly routes: readonly Route[]
  /** Writes the errand down and answers the path to send the browser to. */
  begin(errand: NewErrand): Promise<string>
  /** How the errand stands; undefined when it is unknown or too old. */
  find(id: string): Promise<Errand | undefined>
  /** Forgets the errand: its answer has been taken. */
  end(id: string): Promise<void>
  /** Signing out, for every door at which somebody can ask for it. */
  readonly signOut: Pick<SignOut, 'end' | 'endAll' | 'over' | 'back' | 'between'>
}

export function openSignin(options: SigninOptions): Signin {
  const errands = createErrands(options.storage.state, options.clock)
  const upstreamSessions = createUpstreamSessions(options.storage.state, options.clock)
  const ending = createUpstreamEnding({ ...options, upstreamSessions })
  const signOut = createSignOut({
    ...options,
    signOutThere: ending.signOutThere,
    signOutReturn: createSignOutReturn(options.storage.state),
  })
  const conversation = createConversation({ ...options, errands, upstreamSessions, signOut })
  const begin = async (errand: NewErrand) => pathOf(await errands.begin(errand))

  return {
    begin,
    find: errands.find,
    end: errands.end,
    signOut,
    routes: [
      {
        method: 'GET',
        path: '/signin',
        handle: async (request) => {
          const provider = request.query.get('idp')
          const returnTo = ownPath(request.query.get('return'))
          return redirect(
            await begin({ kind: 'app', policy: 'account', returnTo, ...(provider === null ? {} : { provider }) }),
          )
        },
      },
      { method: 'GET', path: '/signin/back/:directory', handle: conversation.back },
      { method: 'POST', path: '/signin/back/:directory', fromOtherSites: true, handle: conversation.posted },
      { method: 'GET', path: '/signin/back/:directory/metadata', handle: ending.metadata },
      { method: 'GET', path: '/signin/back/:directory/logout', handle: ending.loggedOut },
      { method: 'POST', path: '/signin/back/:directory/logout', fromOtherSites: true, handle: ending.loggedOut },
      { method: 'GET', path: '/signed-out/:id', handle: signOut.show },
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
