/** What a proxy says to us and hears from us. To add one: a file in `dialects/`, its line in the list, a case in `test/api-access/dialects.test.ts`. */
import type { IncomingMessage } from 'node:http'
import type { ProxyHeaders, Told } from '#http'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Dialect {
  readonly name: 'forward' | 'nginx' | 'envoy'
  /** Whether a question that came to us is put in this way. */
  asks(request: Pick<IncomingMessage, 'url' | 'headers'>): boolean
  /** `app` is the API that this proxy stands before. Throws Refusal `request-refused`. */
  read(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>, headers: ProxyHeaders): Told
  /** Our answer in a form that this proxy carries out. INVARIANT: what is no 2xx before is none after. */
  write(reply: Reply): Reply
}

export const PLACE = '/authz/api'
const API = '?api='

/** Behind the address that the proxy asks at; nothing that a client sends gets there. */
export function apiIn({ url = '' }: Pick<IncomingMessage, 'url'>): string | undefined {
  const query = url.indexOf('?')
  return query >= 0 && url.startsWith(API, query) ? url.slice(query + API.length) : undefined
}
