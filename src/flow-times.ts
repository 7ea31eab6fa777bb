/**
 * How long answers took, by flow and by what came of them. Counted by hand, so that a start does not load what shows it (`metrics.ts`)
 * and a request costs two looks at a clock and one addition.
 */
import type { Millis } from '#core/clock'

export type Outcome = 'ok' | 'refused' | 'failed' | 'gone'

export interface FlowTimes {
  /** `path` with or without what stands behind a question mark; `status` undefined where nobody waited for the answer. */
  note(path: string, status: number | undefined, took: Millis): void
  read(): readonly FlowTime[]
}

export interface FlowTime {
  readonly flow: string
  readonly outcome: Outcome
  readonly count: number
  /** In seconds, together. */
  readonly sum: number
  /** How many took at most so many seconds as `BOUNDS` says at the same place. */
  readonly within: readonly number[]
}

/** In seconds. */
export const BOUNDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** INVARIANT: a closed list. What somebody may ask for is no name here, or anybody could make as many as they like. */
const FLOWS: Readonly<Record<string, string>> = {
  '/.well-known/openid-configuration': 'metadata',
  '/oauth2/jwks': 'metadata',
  '/saml/metadata': 'metadata',
  '/oauth2/auth': 'sign-on',
  '/oauth2/token': 'token',
  '/oauth2/introspection': 'introspection',
  '/oauth2/userinfo': 'userinfo',
  '/': 'account',
  '/authz/forward': 'forward-auth',
  '/authz/nginx': 'forward-auth',
  '/authz/envoy': 'forward-auth',
  '/authz/api': 'api-check',
  '/access/v1/evaluation': 'api-check',
  '/access/v1/evaluations': 'api-check',
}

/** What is not named above, by its beginning. */
const BEGINNINGS: readonly (readonly [beginning: string, flow: string])[] = [
  ['/oauth2/auth/', 'sign-on'],
  ['/oauth2/', 'oauth-other'],
  ['/saml/', 'saml'],
  ['/signin', 'sign-in'],
  ['/account', 'account'],
]

const flowOf = (path: string): string =>
  (Object.hasOwn(FLOWS, path) ? FLOWS[path] : undefined) ??
  BEGINNINGS.find(([beginning]) => path.startsWith(beginning))?.[1] ??
  'other'

const outcomeOf = (status: number | undefined): Outcome =>
  status === undefined ? 'gone' : status >= 500 ? 'failed' : status >= 400 ? 'refused' : 'ok'

interface Counted {
  readonly flow: string
  readonly outcome: Outcome
  sum: number
  /** Each only what the bound before it does not have; the last is beyond all. */
  readonly each: number[]
}

export function createFlowTimes(): FlowTimes {
  const counted = new Map<string, Counted>()
  return {
    note(path, status, took) {
      const query = path.indexOf('?')
      const [flow, outcome] = [flowOf(query < 0 ? path : path.slice(0, query)), outcomeOf(status)]
      const key = `${flow} ${outcome}`
      let found = counted.get(key)
      if (!found) {
        found = { flow, outcome, sum: 0, each: new Array(BOUNDS.length + 1).fill(0) }
        counted.set(key, found)
      }
      const seconds = took / 1000
      let at = 0
      while (at < BOUNDS.length && seconds > BOUNDS[at]!) at++
      found.each[at]!++
      found.sum += seconds
    },
    read: () =>
      [...counted.values()].map(({ flow, outcome, sum, each }) => {
        let count = 0
        const below = each.map((more) => (count += more))
        return { flow, outcome, sum, count, within: below.slice(0, -1) }
      }),
  }
}
