/**
 * The policies of the APIs that an authorization request names (`resource`), asked about the person. They can only add to
 * what the app's own policy says: whom one of them refuses gets no code, and what one of them wants becomes part of what
 * the request wants, so that the conversation asks for it.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Access, Question, Wanted } from '#access'
import type { Api, Apis } from '#apis'
import { parseDuration } from '#core/duration'
import type { TokenLimits } from '#policy'
import { stricter } from './stricter-limits.ts'

export interface ApiAnswer {
  /** What has to be proved first. */
  readonly wanted?: Wanted
  /** What their rules say about tokens. */
  readonly limits: TokenLimits
  /** Whose they are. */
  readonly policies: readonly string[]
  /** The reference of the receipt of the one that refuses. */
  readonly refusal?: string
}

/** Where no API is named. */
export const NOTHING_OF_APIS: ApiAnswer = Object.freeze({ limits: {}, policies: [] })

/** Those that the request names and this client may ask for (`resources.ts`). */
export async function requestedApis({ oidc }: KoaContextWithOIDC, apis: Pick<Apis, 'all'>): Promise<readonly Api[]> {
  const named = Object.keys(oidc.resourceServers ?? {})
  if (named.length === 0) return []
  const set = await apis.all()
  return named.flatMap((resource) => set.forAudience(resource) ?? [])
}

export async function askApis(apis: readonly Api[], question: Question, access: Access): Promise<ApiAnswer> {
  // nobody is there yet: first the app's own policy
  if (!question.session) return NOTHING_OF_APIS
  const { wanted: _, opens: __, ...about } = question
  let answer: ApiAnswer = NOTHING_OF_APIS
  for (const policy of new Set(apis.map((api) => api.policy))) {
    if (policy === question.app?.policy) continue
    const { outcome, decision, reference } = await access.ask({ ...about, kind: 'api', policy })
    if (outcome === 'deny') return { ...answer, refusal: reference! }
    if (outcome === 'challenge') {
      const { strength, within } = decision.required!
      const age = within === undefined ? {} : { max_age: Math.floor(parseDuration(within)! / 1000) }
      return { ...answer, wanted: { strength: [strength], ...age } }
    }
    answer = { limits: stricter(answer.limits, decision), policies: [...answer.policies, policy] }
  }
  return answer
}
