/** By what an app may take a request for another one than it looks like. */
import type { IncomingHttpHeaders } from 'node:http'
import { Refusal } from '#core/refusal'
import { METHOD_OVERRIDES, PATH_OVERRIDES } from './headers.ts'
import type { Target } from './target.ts'

/** What a form may make of itself with a field that we never see. */
const OF_FORMS = ['PUT', 'PATCH', 'DELETE'] as const

/**
 * ATTACK: some frameworks take a request for one to the path that a header names: what is public would open all. A proxy that asks
 * by such a header says the very path that we judge.
 */
export function refuseOtherPaths({ uri }: Pick<Target, 'uri'>, headers: IncomingHttpHeaders): void {
  for (const name of PATH_OVERRIDES) {
    const value = headers[name]
    if (value !== undefined && String(value).replace(/^[a-z]+:\/\/[^/?#]+/i, '') !== uri)
      throw new Refusal('request-refused', `header ${name} names another path`)
  }
}

/**
 * ATTACK: many frameworks take a request for another one where a header, a query parameter or a form field says so: what is
 * open for POST would open DELETE. `isForm`: what content types its fields may stand in.
 */
export function* otherMethods(
  { method, query }: Pick<Target, 'method' | 'query'>,
  headers: IncomingHttpHeaders,
  isForm: (contentType: string) => boolean,
): Generator<string> {
  for (const name of METHOD_OVERRIDES) if (headers[name] !== undefined) yield named(String(headers[name]))
  if (/method/i.test(query) || query.includes('%'))
    for (const [name, value] of fieldsOf(query)) if (/^[ ._[]*method(?:\0|$)/i.test(name)) yield named(value)
  if (method === 'POST' && isForm(headers['content-type'] ?? '')) yield* OF_FORMS
}

/** Older readers take a semicolon for a separator as well; PHP makes `_method` of `.method`, `[method` and `_method%00x`. */
const fieldsOf = (query: string) => [...new URLSearchParams(query), ...new URLSearchParams(query.replaceAll(';', '&'))]

function named(method: string): string {
  const upper = method.toUpperCase()
  if (!/^[A-Z]{1,20}$/.test(upper)) throw new Refusal('request-refused', 'method override is no method')
  return upper
}
