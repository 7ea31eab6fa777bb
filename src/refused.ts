/** What somebody gets who is refused. */
import type { Refusal } from '#core/refusal'
import { type Answer, json, type PageRequest } from '#http'
import { errorView, type Presenter } from '#pages'

/** The page or document of a refusal: for people, for programs, and for apps in the words of OAuth. */
export function renderRefusal(refusal: Refusal, request: PageRequest, presenter: Presenter): Answer {
  const { retryAfter } = refusal
  // RFC 6749 §5.2: an app that asks for tokens reads `error`, and nothing else
  if (refusal.status >= 500 && request.method === 'POST' && request.path.startsWith('/oauth2/')) {
    const error = refusal.status === 503 ? 'temporarily_unavailable' : 'server_error'
    return json({ error, error_description: refusal.say }, refusal.status)
  }
  const forProgram = request.path.startsWith('/api/') || (request.headers.accept ?? '').startsWith('application/json')
  if (forProgram) {
    const problem = {
      type: 'about:blank',
      title: refusal.say,
      status: refusal.status,
      code: refusal.code,
      ref: refusal.reference ?? request.id,
    }
    return {
      ...json(problem, refusal.status),
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    }
  }
  const data = {
    code: refusal.code,
    // under which the log says more; of what is refused every day it says nothing
    ...(refusal.reference !== undefined || refusal.status >= 500 ? { reference: refusal.reference ?? request.id } : {}),
    home: '/',
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
  return presenter.page(request, (messages) => errorView(data, messages), {
    status: refusal.status,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}
