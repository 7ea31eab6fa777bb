/** Paths and methods. Exact segments and `:name` segments; nothing else, so nothing to get wrong. */
import type { Answer, PageRequest } from './exchange.ts'

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `/account/sessions/:id` */
  readonly path: string
  /** Forms of other sites are meant to come here: it checks by itself who sent them, and carries nobody's cookies. */
  readonly fromOtherSites?: true
  handle(request: PageRequest): Promise<Answer> | Answer
}

export type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'wrong-method'; readonly allow: readonly string[] }
  | { readonly kind: 'nothing' }

export function createRouter(routes: readonly Route[]): (method: string, path: string) => Found {
  const bySegments = new Map<number, { route: Route; parts: string[] }[]>()
  for (const route of routes) {
    const parts = route.path.split('/')
    const same = bySegments.get(parts.length) ?? []
    bySegments.set(parts.length, [...same, { route, parts }])
  }
  return (method, path) => {
    const parts = path.split('/')
    const allow = new Set<string>()
    for (const candidate of bySegments.get(parts.length) ?? []) {
      const params = match(candidate.parts, parts)
      if (!params) continue
      if (candidate.route.method === method || (method === 'HEAD' && candidate.route.method === 'GET')) {
        return { kind: 'route', route: candidate.route, params }
      }
      allow.add(candidate.route.method)
    }
    return allow.size > 0 ? { kind: 'wrong-method', allow: [...allow] } : { kind: 'nothing' }
  }
}

function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = Object.create(null)
  for (const [i, expected] of pattern.entries()) {
    const actual = parts[i]!
    if (!expected.startsWith(':')) {
      if (expected !== actual) return undefined
      continue
    }
    try {
      params[expected.slice(1)] = decodeURIComponent(actual)
    } catch {
      return undefined
    }
    if (actual === '') return undefined
  }
  return params
}
