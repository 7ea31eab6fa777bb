/**
 * Who is sent where to sign in. A rule chooses a page and nothing else: whoever comes back is judged like everybody.
 */
import type { Settings } from '#config'
import { createNetworks } from '#http'

type Rule = Settings['routing'][number]

export interface Asking {
  readonly app?: string | undefined
  readonly address: string
  /** What was typed, or what the app says as `login_hint`. */
  readonly username?: string | undefined
  /** What the app says as `domain_hint`. */
  readonly hint?: string | undefined
}

/** The id of a provider, `here`, or undefined where no rule says anything. */
export type Routing = (asking: Asking) => string | undefined

export function createRouting(rules: readonly Rule[]): Routing {
  const prepared = rules.map(prepare)
  return (asking) => prepared.find(({ holds }) => holds(asking))?.to
}

function prepare({ domains, usernames, apps, networks, hints, to }: Rule) {
  const zone = networks && createNetworks(networks)
  const own = domains?.map((domain) => domain.toLowerCase())
  const named = hints?.map((hint) => hint.toLowerCase())
  const holds = ({ app, address, username, hint }: Asking): boolean => {
    const name = username?.trim().normalize('NFC').toLowerCase()
    return (
      (!own || own.includes(name?.slice(name.lastIndexOf('@') + 1) ?? '')) &&
      (!usernames || (name !== undefined && usernames.some((pattern) => isLike(name, pattern.toLowerCase())))) &&
      (!apps || (app !== undefined && apps.includes(app))) &&
      (!zone || zone.has(address)) &&
      (!named || (hint !== undefined && named.includes(hint.toLowerCase())))
    )
  }
  return { to, holds }
}

/** `*` stands for any number of characters. In time that grows with the length, for no pattern more than that. */
function isLike(text: string, pattern: string): boolean {
  const [first, ...others] = pattern.split('*') as [string, ...string[]]
  if (others.length === 0) return text === pattern
  const last = others.pop()!
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false
  let from = first.length
  for (const part of others) {
    const found = text.indexOf(part, from)
    if (found < 0 || found + part.length > text.length - last.length) return false
    from = found + part.length
  }
  return true
}
