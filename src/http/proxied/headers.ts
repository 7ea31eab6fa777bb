/** The headers by which a proxy speaks for a browser: each once, and nothing beside them that an app could take for one. */
import type { IncomingMessage } from 'node:http'
import { createRecent } from '#core/recent'
import { Refusal } from '#core/refusal'

export interface ProxyHeaders {
  /** The value of a header that has to be there. Throws Refusal `request-refused`. */
  one(name: string): string
  /** Throws Refusal `request-refused` where there is a header that some server reads as one of these, in another spelling. */
  refuseTwins(names: readonly string[]): void
}

/** What is said once or not at all. */
const SAID = [
  'host',
  'x-forwarded-method',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-uri',
  'x-original-url',
  'x-original-method',
] as const
/** By which many frameworks take a request for one of another method. */
export const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const
/** By which some take it for one of another path (CVE-2018-14773). */
export const PATH_OVERRIDES = ['x-original-url', 'x-rewrite-url'] as const
// of two content types we would read the first, and the app perhaps the last
const ONCE: readonly string[] = [...new Set([...SAID, 'content-type', ...PATH_OVERRIDES])]
/** Also read by proxies and apps, so a second spelling is refused. */
const WATCHED: ReadonlySet<string> = new Set([...ONCE, ...METHOD_OVERRIDES, 'x-forwarded-for', 'forwarded', 'cookie'])
const LONGEST = 16_384
/** At least so many names are kept, and at most twice as many; longer ones are nobody's usual headers. */
const KNOWN = 500
const LONGEST_KNOWN = 64

interface Name {
  /** A bit of its own where it may stand there once only. */
  readonly once: number
  /** What some server reads it as, where it is another spelling. */
  readonly twin: string | undefined
}

const names = createRecent<string, Name>(KNOWN)

function readName(raw: string): Name {
  const known = names.get(raw)
  if (known) return known
  const name = raw.toLowerCase()
  const twin = /[^a-z0-9-]/.test(name) ? name.replace(/[^a-z0-9]/g, '-') : undefined
  const at = ONCE.indexOf(name)
  const read = { once: twin === undefined && at >= 0 ? 1 << at : 0, twin }
  if (raw.length <= LONGEST_KNOWN) names.set(raw, read)
  return read
}

/**
 * Throws Refusal `request-refused`.
 * ATTACK: many servers make one name of `Remote-User`, `Remote_User` and `Remote.User` before the app sees it. The proxy puts
 * our value beside a twin that the client sent, and which of the two the app reads is luck.
 */
export function readHeaders({ rawHeaders, headers }: Pick<IncomingMessage, 'rawHeaders' | 'headers'>): ProxyHeaders {
  let twins: Set<string> | undefined
  let seen = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const { once, twin } = readName(rawHeaders[i]!)
    if (twin !== undefined) {
      twins ??= new Set()
      twins.add(twin)
    } else if (once !== 0) {
      if (seen & once) throw new Refusal('request-refused', `header ${rawHeaders[i]!.toLowerCase()} stands there twice`)
      seen |= once
    }
  }
  const refuse = (name: string) => {
    throw new Refusal('request-refused', `header ${name} stands there in another spelling`)
  }
  for (const twin of twins ?? []) if (WATCHED.has(twin)) refuse(twin)
  return {
    one(name) {
      const value = headers[name]
      if (typeof value !== 'string' || value === '' || value.length > LONGEST)
        throw new Refusal('request-refused', `header ${name} is missing`)
      return value
    },
    refuseTwins(names) {
      if (twins) for (const name of names) if (twins.has(name.toLowerCase())) refuse(name)
    },
  }
}
