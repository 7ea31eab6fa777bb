/** Which of the app's own rules holds for a request. */
import type { IncomingHttpHeaders } from 'node:http'
import type { AppRule } from '#catalog'
import { namesPath, otherMethods, refuseOtherPaths, type Target } from '#http'

/** Nothing is said about it: somebody has to sign in. */
const SIGN_IN: AppRule = Object.freeze({ paths: ['/*'], access: 'sign-in' })
const DENY: AppRule = Object.freeze({ paths: ['/*'], access: 'deny' })
const JSON_LIKE = /^application\/(?:[\w.-]+\+)?json\b/i
/** Whatever reads anything else as a form must not find another method in it. */
const mayBeForm = (contentType: string): boolean => !JSON_LIKE.test(contentType)

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
  for (const method of otherMethods(target, headers, mayBeForm))
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
