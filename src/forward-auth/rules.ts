/** Which of the app's own rules holds for a request. */
import type { IncomingHttpHeaders } from 'node:http'
import { type AppRule, namesPath } from '#catalog'
import { Refusal } from '#core/refusal'
import { METHOD_OVERRIDES, PATH_OVERRIDES } from './proxy-headers.ts'
import type { Target } from './target.ts'

/** Nothing is said about it: somebody has to sign in. */
const SIGN_IN: AppRule = Object.freeze({ paths: ['/*'], access: 'sign-in' })
const DENY: AppRule = Object.freeze({ paths: ['/*'], access: 'deny' })
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
  refuseOtherPaths(target, headers)
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
 * ATTACK: some frameworks take a request for one to the path that a header names: what is public would open all. A proxy that asks
 * by such a header says the very path that we judge.
 */
function refuseOtherPaths({ uri }: Target, headers: IncomingHttpHeaders): void {
  for (const name of PATH_OVERRIDES) {
    const value = headers[name]
    if (value !== undefined && String(value).replace(/^[a-z]+:\/\/[^/?#]+/i, '') !== uri)
      throw new Refusal('request-refused', `header ${name} names another path`)
  }
}

/**
 * ATTACK: many frameworks take a request for another one where a header, a query parameter or a form field says so: what is
 * open for POST would open DELETE.
 */
function* otherMethods({ method, query }: Target, headers: IncomingHttpHeaders): Generator<string> {
  for (const name of METHOD_OVERRIDES) if (headers[name] !== undefined) yield named(String(headers[name]))
  if (/method/i.test(query) || query.includes('%'))
    for (const [name, value] of fieldsOf(query)) if (/^[ ._[]*method(?:\0|$)/i.test(name)) yield named(value)
  if (method === 'POST' && !JSON_LIKE.test(headers['content-type'] ?? '')) yield* OF_FORMS
}

/** Older readers take a semicolon for a separator as well; PHP makes `_method` of `.method`, `[method` and `_method%00x`. */
const fieldsOf = (query: string) => [...new URLSearchParams(query), ...new URLSearchParams(query.replaceAll(';', '&'))]

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
