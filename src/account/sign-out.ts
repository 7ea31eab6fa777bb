/**
 * Signing out. The one page here that asks nobody: closing the door must always be possible, whatever a policy says. So
 * it also shows nothing about the person.
 */
import { type Answer, type PageRequest, redirect } from '#http'
import { signOutView } from '#pages'
import type { AccountOptions } from './options.ts'

const PATH = '/signout'

export function createSignOut({ presenter, sessions, signin }: AccountOptions) {
  const sessionOf = (request: PageRequest) => sessions.find(request.cookies.get(sessions.cookieName))

  return {
    async show(request: PageRequest): Promise<Answer> {
      if (!(await sessionOf(request))) return (await signin.signOut.back(request)) ?? signin.signOut.over(request)
      return presenter.page(request, (messages) => signOutView({ action: PATH, stay: '/' }, messages), {
        isolated: true,
      })
    },

    async take(request: PageRequest): Promise<Answer> {
      const form = await request.form()
      if (form.get('answer') === 'deny') return redirect('/')
      const session = await sessionOf(request)
      return session ? signin.signOut.end(request, session) : signin.signOut.over(request)
    },
  }
}
