/** The person's browser, as a program: cookies, redirects, forms that post themselves; and no step off the host. */
import { Refusal } from '#core/refusal'
import type { Outbound, OutboundAnswer } from '#http'
import { formsOf, refreshOf } from './markup.ts'

/** Where it stopped. */
export type Stop =
  /** At a page of the app. */
  | { readonly end: 'page'; readonly url: URL; readonly status: number; readonly text: string }
  /** Before an address of the probe: it is not asked over the network. */
  | { readonly end: 'ours'; readonly url: URL; readonly fields: URLSearchParams }
  /** Before an address of somebody else. */
  | { readonly end: 'elsewhere'; readonly url: URL }
  | { readonly end: 'failed'; readonly url: URL; readonly why: string }

export interface Browser {
  open(url: URL): Promise<Stop>
  post(url: URL, fields: Readonly<Record<string, string>>): Promise<Stop>
  /** Another one with the same cookies. */
  copy(): Browser
}

export interface BrowserOptions {
  readonly outbound: Outbound
  /** INVARIANT: nothing is sent anywhere else, whatever the app answers. */
  readonly target: URL
  /** Origin of the probe. */
  readonly ours: string
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
}

interface Cookie {
  readonly value: string
  readonly path: string
}

type Jar = Map<string, Cookie>

const MOST_HOPS = 20
const PATIENCE = 15_000
const LIMIT = 1024 * 1024

export const createBrowser = (options: BrowserOptions, jar: Jar = new Map()): Browser => {
  const { outbound, target, ours } = options

  async function send(url: URL, method: 'GET' | 'POST', body?: string): Promise<OutboundAnswer> {
    const cookie = [...jar]
      .filter(([, { path }]) => covers(path, url.pathname))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
    const answer = await outbound(url.href, {
      method,
      headers: {
        accept: 'text/html,application/xhtml+xml',
        'user-agent': 'Mozilla/5.0 (portico apps probe)',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        ...(cookie ? { cookie } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body }),
      timeout: PATIENCE,
      limit: LIMIT,
    })
    for (const line of answer.setCookies) keep(jar, line, url)
    return answer
  }

  async function go(first: URL, fields?: URLSearchParams): Promise<Stop> {
    let url = first
    let body = fields
    for (let hops = 0; hops < MOST_HOPS; hops++) {
      if (url.origin === ours) return { end: 'ours', url, fields: body ?? url.searchParams }
      if (url.origin !== target.origin) return { end: 'elsewhere', url }
      let answer: OutboundAnswer
      try {
        answer = await send(url, body ? 'POST' : 'GET', body?.toString())
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const cause = error.cause instanceof Error ? `: ${(error.cause as NodeJS.ErrnoException).code ?? ''}` : ''
        return { end: 'failed', url, why: `${error.detail ?? error.code}${cause}` }
      }
      const { status, body: text } = answer
      const location = status >= 300 && status < 400 ? answer.headers['location'] : undefined
      // RFC 9110 §15.4: 307 and 308 keep the method, all others are followed by GET
      const next = location === undefined ? refreshOf(text, url) : (URL.parse(location, url) ?? undefined)
      if (next) {
        body = status === 307 || status === 308 ? body : undefined
        url = next
        continue
      }
      const form = formsOf(text, url).find(({ action }) => action.origin === ours)
      if (form) return { end: 'ours', url: form.action, fields: form.fields }
      return { end: 'page', url, status, text }
    }
    return { end: 'failed', url, why: 'redirected in a circle' }
  }

  return {
    open: (url) => go(url),
    post: (url, fields) => go(url, new URLSearchParams(fields)),
    copy: () => createBrowser(options, new Map(jar)),
  }
}

/** RFC 6265 §5.1.4. */
const covers = (path: string, of: string): boolean =>
  of === path || (of.startsWith(path) && (path.endsWith('/') || of[path.length] === '/'))

/** RFC 6265 §5.2, §5.3: one host, so no domain matters. */
function keep(jar: Jar, line: string, { pathname }: URL): void {
  const [pair = '', ...attributes] = line.split(';')
  const equals = pair.indexOf('=')
  if (equals < 1) return
  const name = pair.slice(0, equals).trim()
  const given = new Map(
    attributes.map((text) => {
      const at = text.indexOf('=')
      return [
        (at < 0 ? text : text.slice(0, at)).trim().toLowerCase(),
        at < 0 ? '' : text.slice(at + 1).trim(),
      ] as const
    }),
  )
  const age = given.get('max-age')
  const until = given.get('expires')
  const gone = age === undefined ? until !== undefined && Date.parse(until) <= 0 : Number(age) <= 0
  const own = given.get('path')
  const path = own?.startsWith('/') ? own : pathname.slice(0, Math.max(1, pathname.lastIndexOf('/')))
  if (gone) jar.delete(name)
  else jar.set(name, { value: pair.slice(equals + 1).trim(), path })
}
