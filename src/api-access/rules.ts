/** What a call needs: the rule of the API that names its method and path. What no rule names is closed. */
import type { IncomingHttpHeaders } from 'node:http'
import type { GatewayRule } from '#apis'
import { namesPath, otherMethods, refuseOtherPaths, type Target } from '#http'

export type Needs =
  | { readonly access: 'public' }
  | { readonly access: 'deny' }
  /** A token with all of them, and with authorization details of all these types. */
  | { readonly access: 'token'; readonly scopes: readonly string[]; readonly types: readonly string[] }

const PUBLIC: Needs = Object.freeze({ access: 'public' })
const DENY: Needs = Object.freeze({ access: 'deny' })
/** Whose fields frameworks look for a method in. */
const FORM = /x-www-form-urlencoded|form-data/i
const isForm = (contentType: string): boolean => FORM.test(contentType)

/** For what may be several calls at once, what all of them need. Throws Refusal `request-refused`. */
export function needsOf(
  rules: readonly GatewayRule[],
  target: Pick<Target, 'method' | 'query' | 'uri'> & { path: string },
  headers: IncomingHttpHeaders,
): Needs {
  refuseOtherPaths(target, headers)
  let needs = needsOfOne(rules, target.method, target.path)
  for (const method of otherMethods(target, headers, isForm))
    needs = both(needs, needsOfOne(rules, method, target.path))
  return needs
}

/** The first that names them. INVARIANT: what is public is compared exactly; what asks for something, also in another case. */
export function needsOfOne(rules: readonly GatewayRule[], method: string, path: string): Needs {
  const alike = method === 'HEAD' ? 'GET' : method
  const rule = rules.find(
    ({ methods, paths, access }) =>
      (methods === undefined || methods.includes(method) || methods.includes(alike)) &&
      paths.some((pattern) => namesPath(pattern, path, access === 'public')),
  )
  const { scopes, authorization_details: types } = rule ?? {}
  if (scopes ?? types) return { access: 'token', scopes: scopes ?? [], types: types ?? [] }
  return rule?.access === 'public' ? PUBLIC : DENY
}

function both(one: Needs, other: Needs): Needs {
  if (one.access === 'deny' || other.access === 'deny') return DENY
  if (one.access === 'public') return other
  if (other.access === 'public') return one
  const all = (key: 'scopes' | 'types') => [...new Set([...one[key], ...other[key]])]
  return { access: 'token', scopes: all('scopes'), types: all('types') }
}
