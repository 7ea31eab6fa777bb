/** What a proxy says to us and hears from us. To add one: a file in `dialects/`, its line in the list, its row in the contract suite. */
import type { IncomingMessage } from 'node:http'
import type { ProxyHeaders, Told } from '#http'

const APP = '?app='

/** Behind the address that the proxy asks at; nothing that a client sends gets there. */
export function appIn({ url = '' }: Pick<IncomingMessage, 'url'>): string | undefined {
  const query = url.indexOf('?')
  return query >= 0 && url.startsWith(APP, query) ? url.slice(query + APP.length) : undefined
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Buffer
  /** Where a proxy that cannot pass the body on sends the browser instead. */
  readonly elsewhere?: string
}

export interface Dialect {
  readonly name: 'forward' | 'nginx' | 'envoy'
  /** Where it asks; with a slash at the end, everything below. */
  readonly prefix: string
  /** Throws Refusal `request-refused` where the proxy does not say what it has to. */
  read(request: Pick<IncomingMessage, 'method' | 'url'>, headers: ProxyHeaders): Told
  /** Our answer in a form that this proxy carries out. INVARIANT: what is no 2xx before is none after. */
  write(reply: Reply): Reply
}
