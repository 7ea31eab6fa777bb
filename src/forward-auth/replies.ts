/** Our answers, before a dialect puts them into its proxy's words. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Verdict } from '#access'
import type { App } from '#catalog'
import { parseDuration } from '#core/duration'
import { REFUSALS, type RefusalCode } from '#core/refusals'
import { cookieHeader, isWebSocket, type PageRequest, type SetCookie, type Target } from '#http'
import { errorView, type Messages, refusalSentence, refusedView, type View } from '#pages'
import type { Reply } from './dialect.ts'
import { nobody } from './identity.ts'
import type { ForwardAuthOptions } from './options.ts'

type ReplyOptions = Pick<ForwardAuthOptions, 'issuer' | 'presenter' | 'support' | 'refused'>

const NOT_KEPT = { 'cache-control': 'no-store' } as const

/**
 * Whether a person is looking, who can be sent to sign in: a browser that opens a page. A script, a form that was sent, a
 * picture and a WebSocket would only follow the redirect into something that they cannot read.
 */
export function isNavigation({ method }: Pick<Target, 'method'>, headers: IncomingHttpHeaders): boolean {
  if (method !== 'GET' || headers['x-requested-with'] !== undefined) return false
  if (isWebSocket(headers)) return false
  const mode = headers['sec-fetch-mode']
  if (mode !== undefined && mode !== 'navigate') return false
  return (headers.accept ?? '').includes('text/html')
}

/** The page's own address is the app's, whose headers the request carries. */
const pageOn = (request: PageRequest, { uri }: Target): PageRequest => {
  const url = new URL(request.url.origin + uri.replace(/^\/+/, '/'))
  return { ...request, url, path: url.pathname, query: url.searchParams }
}

interface About {
  readonly status?: number
  /** Undefined where nobody knows what was asked for, or a program asked. */
  readonly target?: Target | undefined
  readonly request: PageRequest
  readonly headers?: Reply['headers']
  readonly more?: Readonly<Record<string, unknown>>
  /** Where an administrator finds more. */
  readonly reference?: string | undefined
}

export function createReplies({ issuer, presenter, support, refused: count }: ReplyOptions) {
  const page = (view: (messages: Messages) => View, status: number, target: Target, request: PageRequest): Reply => {
    const on = pageOn(request, target)
    const { headers = {}, body = '' } = presenter.page(on, view, { status, path: on.path })
    return { status, headers, body }
  }

  /** A problem document for programs (RFC 9457), a page for people. */
  function refused(code: RefusalCode, about: About): Reply {
    const { status = REFUSALS[code].status, target, request, headers = {}, more = {}, reference } = about
    count?.(code)
    const found = reference === undefined ? {} : { reference }
    if (target && isNavigation(target, request.headers))
      return page((messages) => errorView({ code, home: '/', ...found }, messages), status, target, request)
    const problem = { type: 'about:blank', title: REFUSALS[code].say, status, code, ...more }
    const type = { 'content-type': 'application/problem+json', ...NOT_KEPT }
    return { status, headers: { ...type, ...headers }, body: JSON.stringify(problem) }
  }

  return {
    refused,
    open: (app: App): Reply => ({ status: 200, headers: nobody(app) }),
    /** 302 and not 303: some proxies know no other for this. */
    redirect: (location: string, secure: boolean, cookies: readonly SetCookie[] = []): Reply => ({
      status: 302,
      headers: {
        location,
        ...NOT_KEPT,
        // ATTACK: what the address carries must not go on to whatever the next page loads
        'referrer-policy': 'no-referrer',
        ...(cookies.length === 0 ? {} : { 'set-cookie': cookies.map((cookie) => cookieHeader(cookie, secure)) }),
      },
    }),
    /** For what cannot be sent to sign in. What somebody who is there still lacks is said as RFC 9470 §3 has it. */
    challenge(target: Target, request: PageRequest, verdict: Verdict | undefined): Reply {
      const { reference } = verdict ?? {}
      return refused(verdict ? 'proof-required' : 'session-required', {
        request,
        headers: { 'www-authenticate': `Bearer realm="${target.host}"${verdict ? lacking(verdict) : ''}` },
        more: { ...(reference === undefined ? {} : { ref: reference }), sign_in: `${target.origin}/` },
      })
    },
    /** `reference`: of the receipt; what the app's own rules close for everybody has none. */
    denied(app: App, target: Target, request: PageRequest, reference?: string): Reply {
      if (!isNavigation(target, request.headers))
        return refused('access-refused', { request, ...(reference === undefined ? {} : { more: { ref: reference } }) })
      count?.('access-refused')
      const why = reference === undefined ? {} : { reference, why: `${issuer}/why/${reference}` }
      const view = (messages: Messages) =>
        refusedView(
          {
            app: app.name,
            say: refusalSentence(messages, 'access-refused'),
            apps: `${issuer}/`,
            ...(support === undefined ? {} : { support }),
            ...why,
          },
          messages,
        )
      return { ...page(view, 403, target, request), ...(why.why === undefined ? {} : { elsewhere: why.why }) }
    },
  }
}

/** RFC 9470 §3: only what is missing, in words that RFC 6750 §3 lets stand in a header. */
function lacking({ decision: { required } }: Verdict): string {
  const strength = required?.strength.replace(/[^\x21\x23-\x5b\x5d-\x7e]/g, '')
  const age = required?.within === undefined ? undefined : parseDuration(required.within)
  return [
    ', error="insufficient_user_authentication"',
    ...(strength ? [`, acr_values="${strength}"`] : []),
    ...(age === undefined ? [] : [`, max_age="${age / 1000}"`]),
  ].join('')
}

export type Replies = ReturnType<typeof createReplies>
