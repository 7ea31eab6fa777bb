/** An app asks for a sign-out (OpenID Connect RP-Initiated Logout 1.0). */
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { cookieHeader, type PageRequest, pageRequestOf } from '#http'
import { type Presenter, signOutView } from '#pages'
import type { Session } from '#sessions'
import type { Signin } from '#signin'
import { answer } from './answer.ts'
import type { Visitor } from './bridge.ts'

type RpInitiatedLogout = NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']>

export interface LogoutOptions {
  readonly presenter: Presenter
  readonly issuer: string
  readonly signin: Pick<Signin, 'signOut'>
}

/** A POST of our form that says yes, and the request itself where nothing has to be asked. */
const ROUTES: readonly string[] = ['end_session', 'end_session_confirm']

export function rpInitiatedLogout(
  { presenter, issuer, signin }: LogoutOptions,
  visitorOf: (ctx: KoaContextWithOIDC) => Visitor | undefined,
): RpInitiatedLogout {
  return {
    enabled: true,
    async logoutSource(ctx: KoaContextWithOIDC) {
      const session = visitorOf(ctx)?.session
      // §2: a request that is the app's own needs no question; what then happens is `afterLogout`
      if (session && isTheirs(ctx, session)) return ctx.oidc.session!.destroy()
      const secret = (ctx.oidc.session?.['state'] as { secret?: string } | undefined)?.secret ?? ''
      const app = ctx.oidc.client?.clientName
      const data = {
        action: '/oauth2/session/end/confirm',
        hidden: { xsrf: secret },
        answers: { yes: { name: 'logout', value: 'yes' }, no: { name: 'stay', value: 'yes' } },
        stay: '/',
        ...(app ? { app } : {}),
      }
      const target = ctx.oidc.params?.['post_logout_redirect_uri']
      const formTargets = typeof target === 'string' ? [target] : []
      answer(
        ctx,
        presenter.page(pageRequestOf(ctx.req, issuer), (messages) => signOutView(data, messages), { formTargets }),
      )
    },
    async postLogoutSuccessSource(ctx: KoaContextWithOIDC) {
      await give(ctx, issuer, (request) => signin.signOut.over(request))
    },
  }
}

/**
 * The ID token is of this person, and of this very session at this app. That it is one of ours for this app the engine has
 * checked, expired or not (§4).
 * ATTACK: without that, any page could send a browser here and sign its person out. An old token of another session says only
 * that the app knew the person once; a logout token of an end of everything, which names no session, says not even that.
 */
function isTheirs(ctx: KoaContextWithOIDC, session: Session): boolean {
  const hint = ctx.oidc.entities.IdTokenHint?.payload as { sub?: string; sid?: string } | undefined
  if (hint?.sub !== session.personId) return false
  const opened = session.apps.filter(({ app, via }) => app === ctx.oidc.client?.clientId && via === undefined)
  return opened.some(({ sid }) => hint.sid === sid)
}

/** What the engine has done to its own session is done to ours, the authority; and the browser goes where it should. */
export async function afterLogout(
  ctx: KoaContextWithOIDC,
  session: Session | undefined,
  { issuer, signin }: LogoutOptions,
): Promise<void> {
  if (!ctx.oidc?.session || !ROUTES.includes(ctx.oidc.route)) return
  const ended = (ctx.oidc.session as { destroyed?: boolean }).destroyed === true
  if (session && ended) await give(ctx, issuer, (request) => signin.signOut.end(request, session, targetOf(ctx)))
  // the engine would have a script send a form here
  else if (!session && ctx.oidc.route === 'end_session' && ctx.status === 200)
    await give(ctx, issuer, (request) => signin.signOut.over(request, targetOf(ctx)))
}

/** Where the app wants the browser, by an address that it has registered; undefined where that is nowhere. */
function targetOf(ctx: KoaContextWithOIDC): string | undefined {
  if (ctx.oidc.route === 'end_session_confirm') {
    const to = ctx.response.get('location')
    return to.startsWith(`${ctx.oidc.urlFor('end_session_success')}`) ? undefined : to
  }
  // the engine has taken away what is not registered
  const { post_logout_redirect_uri: registered, state } = ctx.oidc.params ?? {}
  if (typeof registered !== 'string') return undefined
  const url = new URL(registered)
  if (typeof state === 'string') url.searchParams.set('state', state)
  return url.href
}

async function give(
  ctx: KoaContextWithOIDC,
  issuer: string,
  make: (request: PageRequest) => ReturnType<Signin['signOut']['over']>,
): Promise<void> {
  const request = pageRequestOf(ctx.req, issuer)
  const made = await make(request)
  ctx.remove('location')
  answer(ctx, made)
  for (const cookie of made.cookies ?? []) ctx.append('set-cookie', cookieHeader(cookie, request.secure))
}
