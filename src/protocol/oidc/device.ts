/** The pages of the device flow (RFC 8628 §3.3): type the code, see what asks, connect. */
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { pageRequestOf } from '#http'
import {
  type DeviceCodeData,
  deviceCodeView,
  deviceConfirmView,
  deviceDoneView,
  type Presenter,
  type View,
} from '#pages'
import { answer } from './answer.ts'
import { USER_CODE_FORM, userCodeWait } from './user-codes.ts'

type DeviceFlow = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>

const ACTION = '/oauth2/device'
const SIGN_IN = `/signin?return=${ACTION}`
const HALF_AN_HOUR = 1800
/** What the engine calls a code that nobody waits for; everything else is wrong with the form, not with the code. */
const WRONG_CODE = new Set(['NotFoundError', 'ExpiredError', 'AlreadyUsedError'])

const refusalOf = (error: Error) =>
  userCodeWait(error) !== undefined ? 'throttled' : WRONG_CODE.has(error.name) ? 'code-invalid' : 'conversation-expired'

/**
 * What goes wrong is shown with a new form, but the engine has put away its session by then, and would fail over one
 * that it had not kept before: a form that came without cookies, or too late.
 */
async function keepSession({ oidc }: KoaContextWithOIDC, secure: boolean): Promise<void> {
  const session = oidc.session as { jti: string; exp?: number; save(ttl: number): Promise<unknown> } | undefined
  if (!session || session.exp !== undefined) return
  await session.save(HALF_AN_HOUR)
  const name = (oidc.provider as unknown as { cookieName(of: string): string }).cookieName('session')
  oidc.cookies.set(name, session.jti, { httpOnly: true, sameSite: 'lax', secure, signed: false })
}

export function deviceFlow(presenter: Presenter, issuer: string): DeviceFlow {
  const show = (ctx: KoaContextWithOIDC, view: Parameters<Presenter['page']>[1], status = 200) =>
    answer(ctx, presenter.page(pageRequestOf(ctx.req, issuer), view, { status, path: ACTION }))
  const hidden = (ctx: KoaContextWithOIDC) => ({
    xsrf: (ctx.oidc.session?.['state'] as { secret?: string } | undefined)?.secret ?? '',
  })

  return {
    enabled: true,
    ...USER_CODE_FORM,
    async userCodeInputSource(ctx, _form, out, err) {
      if (err) await keepSession(ctx, issuer.startsWith('https:'))
      const wrong = err && err.name !== 'NoCodeError' && err.name !== 'AbortedError'
      if (err?.name === 'AbortedError')
        return show(ctx, (messages): View => deviceDoneView({ connected: false }, messages))
      const userCode = typeof out === 'object' ? undefined : ctx.oidc.params?.['user_code']
      const wait = userCodeWait(err)
      const data: DeviceCodeData = {
        action: ACTION,
        hidden: hidden(ctx),
        ...(typeof userCode === 'string' ? { userCode } : {}),
        ...(wrong ? { refusal: refusalOf(err) } : {}),
        ...(wait === undefined ? {} : { retryAfter: wait }),
        // whoever is signed in is counted by themselves
        ...(wait === undefined || ctx.oidc.session?.accountId ? {} : { signIn: SIGN_IN }),
      }
      if (wait !== undefined) ctx.set('retry-after', String(wait))
      show(ctx, (messages) => deviceCodeView(data, messages), wait === undefined ? (wrong ? 400 : 200) : 429)
    },
    async userCodeConfirmSource(ctx, _form, client, _deviceInfo, userCode) {
      const data = {
        action: ACTION,
        hidden: { ...hidden(ctx), user_code: userCode },
        userCode,
        app: client.clientName ?? client.clientId,
        answers: { yes: { name: 'confirm', value: 'yes' }, no: { name: 'abort', value: 'yes' } },
      }
      show(ctx, (messages) => deviceConfirmView(data, messages))
    },
    async successSource(ctx) {
      const app = ctx.oidc.client?.clientName
      show(ctx, (messages) => deviceDoneView({ connected: true, ...(app ? { app } : {}) }, messages))
    },
  }
}

/**
 * A device that asks at the listener for certificates (RFC 8705 §5) is told of the page at the issuer: people have no
 * certificate, and their pages are not there.
 */
export function showPageOf(issuer: string, { oidc, body }: KoaContextWithOIDC): void {
  if (oidc?.route !== 'device_authorization' || typeof body !== 'object' || body === null) return
  for (const name of ['verification_uri', 'verification_uri_complete'] as const) {
    const url = URL.parse(String((body as Record<string, unknown>)[name]))
    if (url) Object.assign(body, { [name]: issuer + url.pathname + url.search })
  }
}
