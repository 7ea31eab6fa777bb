/** Scopes of APIs in words for people. */
import type { Apis } from '#apis'
import type { ScopeWords } from '#pages'
import { apiScope } from './grants.ts'

const IN_CONSENT = /^api\/([^/]+)\/(.+)$/

/** By what a consent calls them; `missing` are scopes by the audience of their API. */
export async function scopesInWords(
  missing: Readonly<Record<string, readonly string[]>> | undefined,
  apis: Pick<Apis, 'all'>,
): Promise<ReadonlyMap<string, ScopeWords>> {
  if (!missing) return new Map()
  const set = await apis.all()
  return new Map(
    Object.entries(missing).flatMap(([audience, scopes]) => {
      const api = set.forAudience(audience)
      return scopes.map((scope): [string, ScopeWords] => [
        apiScope(api?.id ?? '', scope),
        { scope, api: api?.name ?? audience, words: api?.scopes.get(scope) ?? scope },
      ])
    }),
  )
}

/** What somebody has agreed to, with words where an API has them. */
export async function agreedInWords(
  scopes: readonly string[],
  apis: Pick<Apis, 'all'>,
): Promise<(string | ScopeWords)[]> {
  if (!scopes.some((scope) => IN_CONSENT.test(scope))) return [...scopes]
  const set = await apis.all()
  return scopes.map((name) => {
    const [, id, scope] = IN_CONSENT.exec(name) ?? []
    if (scope === undefined) return name
    const api = set.find(id!)
    return { scope, api: api?.name ?? id!, words: api?.scopes.get(scope) ?? scope }
  })
}
