/** What a call needs: the rule of the API that names its method and path. What no rule names is closed. */
import type { IncomingHttpHeaders } from 'node:http'
import type { AccessToken, GatewayRule } from '#apis'
import type { Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import { namesPath, otherMethods, refuseOtherPaths, type Target } from '#http'

export type Needs =
  | { readonly access: 'public' }
  | { readonly access: 'deny' }
  /** A token with all of them, with authorization details of all these types, for which somebody signed in as each of these says. */
  | {
      readonly access: 'token'
      readonly scopes: readonly string[]
      readonly types: readonly string[]
      readonly signIns: readonly SignIn[]
    }

/** RFC 9470 §3: what the sign-in behind a token has to be. */
export interface SignIn {
  /** One of these strengths. */
  readonly acr?: readonly string[]
  /** Seconds. */
  readonly maxAge?: number
}

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
  if (rule && (scopes ?? types))
    return { access: 'token', scopes: scopes ?? [], types: types ?? [], signIns: signInsOf(rule) }
  return rule?.access === 'public' ? PUBLIC : DENY
}

function both(one: Needs, other: Needs): Needs {
  if (one.access === 'deny' || other.access === 'deny') return DENY
  if (one.access === 'public') return other
  if (other.access === 'public') return one
  const all = (key: 'scopes' | 'types') => [...new Set([...one[key], ...other[key]])]
  const signIns = [...one.signIns, ...other.signIns]
  return { access: 'token', scopes: all('scopes'), types: all('types'), signIns }
}

const NONE: readonly SignIn[] = Object.freeze([])

function signInsOf({ acr, max_age }: GatewayRule): readonly SignIn[] {
  if (acr === undefined && max_age === undefined) return NONE
  const maxAge = max_age === undefined ? {} : { maxAge: Math.floor(parseDuration(max_age)! / 1000) }
  return [{ ...(acr ? { acr } : {}), ...maxAge }]
}

/**
 * The first that the token does not meet. INVARIANT: what counts is the sign-in that the token was given for, and not what the
 * person has proved since: whoever has an old token does not gain by that. Names are compared, and none stands for another.
 */
export const unmetSignIn = (
  { acr, authTime }: Pick<AccessToken, 'acr' | 'authTime'>,
  wanted: readonly SignIn[],
  now: Instant,
): SignIn | undefined =>
  wanted.find(
    (one) =>
      (one.acr !== undefined && !(acr !== undefined && one.acr.includes(acr))) ||
      (one.maxAge !== undefined && !(authTime !== undefined && now - authTime <= one.maxAge * 1000)),
  )
