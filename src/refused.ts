/** What somebody gets who is refused. */
import { type Refusal, retryAfterOf } from '#core/refusal'
import { type Answer, json, type PageRequest } from '#http'
import { errorView, type Presenter } from '#pages'

/** The page or document of a refusal: for people, for programs, and for apps in the words of OAuth. */
export function renderRefusal(refusal: Refusal, request: PageRequest, presenter: Presenter): Answer {
  const { retryAfter } = refusal
  const { accept = '' } = request.headers
  const wait = retryAfterOf(refusal.status, retryAfter)
  const document = (answer: Answer): Answer => ({
    ...answer,
    headers: { ...answer.headers, ...(wait === undefined ? {} : { 'retry-after': String(wait) }) },
  })
  // RFC 6749 §5.2: an app that asks for tokens reads `error`, and nothing else
  if (refusal.status >= 500 && request.path.startsWith('/oauth2/') && !accept.includes('text/html')) {
    const error = refusal.status === 503 ? 'temporarily_unavailable' : 'server_error'
    return document(json({ error, error_description: refusal.say }, refusal.status))
  }
  const forProgram = request.path.startsWith('/api/') || accept.startsWith('application/json')
  if (forProgram) {
    const problem = {
      type: 'about:blank',
      title: refusal.say,
      status: refusal.status,
      code: refusal.code,
      ref: refusal.reference ?? request.id,
    }
    return document({
      ...json(problem, refusal.status),
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
    })
  }
  const data = {
    code: refusal.code,
    // under which the log says more; of what is refused every day, or to everybody at the moment, it says nothing
    ...(refusal.reference !== undefined || (refusal.status >= 500 && refusal.code !== 'overloaded')
      ? { reference: refusal.reference ?? request.id }
      : {}),
    home: '/',
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
  return presenter.page(request, (messages) => errorView(data, messages), {
    status: refusal.status,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}
