/** Sign-out: RP-initiated (OIDC RP-Initiated Logout 1.0) and back-channel (OIDC Back-Channel Logout 1.0). */
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider'
import { cookieHeader, pageRequestOf } from '#http'
import { type Presenter, signedOutView, signOutView } from '#pages'
import type { Delivery, LogoutRow } from '#sessions'
import type { Signin } from '#signin'
import { answer } from './answer.ts'

type RpInitiatedLogout = NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']>

export function rpInitiatedLogout(presenter: Presenter, issuer: string): RpInitiatedLogout {
  return {
    enabled: true,
    async logoutSource(ctx: KoaContextWithOIDC) {
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
      answer(
        ctx,
        presenter.page(pageRequestOf(ctx.req, issuer), (messages) => signedOutView({ signIn: '/' }, messages)),
      )
    },
  }
}

/**
 * The session that has ended began at another provider: the browser goes to `there`, the provider's page that ends it too, and
 * from there on to where the engine's answer leads, the app's `post_logout_redirect_uri`. From a page that goes on by itself:
 * browsers hold the policy of the form before against every redirect after it, and ours names no providers.
 */
export async function endThere(
  ctx: KoaContextWithOIDC,
  there: string,
  { presenter, issuer, signin }: { presenter: Presenter; issuer: string; signin: Pick<Signin, 'signOutReturn'> },
): Promise<void> {
  const request = pageRequestOf(ctx.req, issuer)
  const cookie = await signin.signOutReturn.keep(ctx.response.get('location'))
  ctx.remove('location')
  answer(
    ctx,
    presenter.page(request, (messages) => ({ ...signedOutView({ signIn: '/signin' }, messages), goOn: there })),
  )
  ctx.append('set-cookie', cookieHeader(cookie, request.secure))
}

/**
 * Takes sending out of the engine's hands: every end of a session goes through the one outbox, an end-session request
 * among them. Answers how a row of the outbox is sent.
 */
export function takeOverLogout(engine: Provider): (row: LogoutRow) => Promise<Delivery> {
  const send = engine.Client.prototype.backchannelLogout as (
    this: unknown,
    subject: string,
    sid: string | undefined,
  ) => Promise<void>
  engine.Client.prototype.backchannelLogout = async () => {}
  return async ({ app, subject, sid }) => {
    const client = await engine.Client.find(app)
    if (!client?.backchannelLogoutUri) return 'give-up'
    try {
      await send.call(client, subject, sid)
      return 'done'
    } catch (error) {
      // Back-Channel Logout §2.8: 400 says that the request itself was wrong; sending it again changes nothing
      return (error as { response?: { status: number } }).response?.status === 400 ? 'give-up' : 'retry'
    }
  }
}
