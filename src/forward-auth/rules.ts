/** Which of the app's own rules holds for a request. */
import type { IncomingHttpHeaders } from 'node:http'
import { type AppRule, namesPath } from '#catalog'
import { Refusal } from '#core/refusal'
import type { Target } from './target.ts'

/** Nothing is said about it: somebody has to sign in. */
const SIGN_IN: AppRule = Object.freeze({ paths: ['/*'], access: 'sign-in' })
const DENY: AppRule = Object.freeze({ paths: ['/*'], access: 'deny' })
const OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const
/** What a form may make of itself with a field that we never see. */
const OF_FORMS = ['PUT', 'PATCH', 'DELETE'] as const
const JSON_LIKE = /^application\/(?:[\w.-]+\+)?json\b/i

/** The rule for this request; for what may be several requests, the strictest of theirs. Throws Refusal `request-refused`. */
export function ruleFor(
  rules: readonly AppRule[],
  target: Target & { path: string },
  headers: IncomingHttpHeaders,
): AppRule {
  const first = ruleOf(rules, target.method, target.path)
  if (rules.length === 0) return first
  let strictest = first
  for (const method of otherMethods(target, headers))
    strictest = stricter(strictest, ruleOf(rules, method, target.path))
  return strictest
}

/** The first that names them. INVARIANT: what is public is compared exactly; what closes, also in another case. */
function ruleOf(rules: readonly AppRule[], method: string, path: string): AppRule {
  const alike = method === 'HEAD' ? 'GET' : method
  return (
    rules.find(
      ({ methods, paths, access }) =>
        (methods === undefined || methods.includes(method) || methods.includes(alike)) &&
        paths.some((pattern) => namesPath(pattern, path, access === 'public')),
    ) ?? SIGN_IN
  )
}

/**
 * ATTACK: many frameworks take a request for another one where a header, a query parameter or a form field says so: what is
 * open for POST would open DELETE.
 */
function* otherMethods({ method, query }: Target, headers: IncomingHttpHeaders): Generator<string> {
  for (const name of OVERRIDES) if (headers[name] !== undefined) yield named(String(headers[name]))
  if (/_method/i.test(query) || query.includes('%'))
    for (const [name, value] of new URLSearchParams(query)) if (name.toLowerCase() === '_method') yield named(value)
  if (method === 'POST' && !JSON_LIKE.test(headers['content-type'] ?? '')) yield* OF_FORMS
}

function named(method: string): string {
  const upper = method.toUpperCase()
  if (!/^[A-Z]{1,20}$/.test(upper)) throw new Refusal('request-refused', 'method override is no method')
  return upper
}

const RANK: Readonly<Record<AppRule['access'], number>> = { public: 0, 'sign-in': 1, deny: 2 }

/** Two that ask for different things are met by nobody. */
function stricter(a: AppRule, b: AppRule): AppRule {
  if (a === b || RANK[a.access] > RANK[b.access]) return a
  if (RANK[b.access] > RANK[a.access]) return b
  if (a.access !== 'sign-in' || (a.strength === b.strength && a.policy === b.policy)) return a
  if (a.strength === undefined && a.policy === undefined) return b
  if (b.strength === undefined && b.policy === undefined) return a
  return DENY
}
