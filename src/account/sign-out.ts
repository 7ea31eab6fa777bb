/**
 * Signing out. The one page here that asks nobody: closing the door must always be possible, whatever a policy says. So
 * it also shows nothing about the person.
 */
import { type Answer, type PageRequest, redirect, type SetCookie } from '#http'
import { type Messages, signedOutView, signOutView } from '#pages'
import type { AccountOptions } from './options.ts'

const PATH = '/signout'
/** The device stays known: its cookie is left, and everything that an app page may have kept in the browser goes. */
const CLEAR = { 'clear-site-data': '"cache", "storage"' }

export function createSignOut({ audit, presenter, sessions, signin }: AccountOptions) {
  const { signOutReturn } = signin
  const sessionOf = (request: PageRequest) => sessions.find(request.cookies.get(sessions.cookieName))

  /** `there`: the provider's page that ends its session too. It is gone to from this page: a form must not lead away. */
  function signedOut(request: PageRequest, there?: string): Answer {
    const gone: SetCookie = { name: sessions.cookieName, value: '' }
    const view = (messages: Messages) => ({
      ...signedOutView({ signIn: '/signin' }, messages),
      ...(there === undefined ? {} : { goOn: there }),
    })
    const answer = presenter.page(request, view, { isolated: true })
    return { ...answer, cookies: [...(answer.cookies ?? []), gone] }
  }

  /**
   * Back from the provider, to go on to the app that wanted this. Not at once: the page before may have been a form of the
   * provider's, and its policy does not name the app.
   */
  async function back(request: PageRequest): Promise<Answer | undefined> {
    if (!request.query.has('on'))
      return (await signOutReturn.find(request)) === undefined ? undefined : signedOut(request, `${PATH}?on`)
    const address = await signOutReturn.take(request)
    return address === undefined ? undefined : redirect(address, [signOutReturn.gone])
  }

  return {
    async show(request: PageRequest): Promise<Answer> {
      if (!(await sessionOf(request))) return (await back(request)) ?? signedOut(request)
      return presenter.page(request, (messages) => signOutView({ action: PATH, stay: '/' }, messages), {
        isolated: true,
      })
    },

    async take(request: PageRequest): Promise<Answer> {
      const form = await request.form()
      if (form.get('answer') === 'deny') return redirect('/')
      const session = await sessionOf(request)
      const there = session && (await signin.logoutUrl(session.id))
      if (session && (await sessions.end(session.id, 'signed-out', session.personId))) {
        const { id, personId } = session
        await audit.record('person-signed-out', { actor: personId, subject: personId, session: id })
      }
      const answer = signedOut(request, there)
      // whoever signs out here stays here: what an app wanted before is over
      const cookies = [...(answer.cookies ?? []), signOutReturn.gone]
      return { ...answer, cookies, headers: { ...answer.headers, ...CLEAR } }
    },
  }
}
