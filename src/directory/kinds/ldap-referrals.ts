/**
 * Servers that say "ask over there" (RFC 4511 §4.1.10, §4.5.3).
 * ATTACK: whoever can write such an entry would otherwise choose the server that sees the service account's password and
 * then people's. So only servers named in the settings are asked, with the TLS that stands there.
 */
import type { Server } from './ldap-connection.ts'

export interface Target {
  /** Which of the servers in `referrals`. */
  readonly index: number
  readonly base: string
}

/** No more than a few: a person is found in one place. */
const MOST = 8

/** Where a search goes on, each place once. What is no LDAP URL, or names a server that is not allowed, is left out. */
export function targetsOf(references: readonly string[], allowed: readonly Server[], base: string): Target[] {
  const targets = new Map<string, Target>()
  for (const reference of references) {
    const url = URL.parse(reference)
    if (!url || (url.protocol !== 'ldap:' && url.protocol !== 'ldaps:')) continue
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
    const port = Number(url.port) || (url.protocol === 'ldaps:' ? 636 : 389)
    const index = allowed.findIndex((server) => server.host.toLowerCase() === host && server.port === port)
    const there = decoded(url.pathname.slice(1))
    if (index < 0 || there === undefined || targets.size >= MOST) continue
    const target = { index, base: there || base }
    targets.set(JSON.stringify(target), target)
  }
  return [...targets.values()]
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
