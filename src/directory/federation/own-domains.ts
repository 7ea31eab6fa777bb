/**
 * An upstream speaks for its own domains and for nobody else's.
 * ATTACK: whoever runs a provider, or may write their own profile there, names somebody else's mail address; apps that
 * know people by their mail would take them for that person.
 */

import { usernameKey } from '../person.ts'
import type { UpstreamPerson } from '../upstream-person.ts'

/** `sam@kestrel.example` → `kestrel.example`; undefined for what has no domain. */
export function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1).toLowerCase()
  return at <= 0 || domain === '' ? undefined : domain
}

/** The domain itself, never one below it: those may be somebody else's. */
export const ownsAddress = (domains: readonly string[], address: string): boolean => {
  const domain = domainOf(address)
  return domain !== undefined && domains.includes(domain)
}

/**
 * The person without what the provider has no say in: a mail address of another domain, a user name that looks like one,
 * a verification that was not its to give. `taken` says whether somebody of another directory has a user name already.
 */
export async function withinOwnDomains(
  person: UpstreamPerson,
  { id, domains }: { readonly id: string; readonly domains: readonly string[] },
  taken: (key: string) => Promise<boolean>,
): Promise<UpstreamPerson> {
  const { mail, mailVerified, usernames, ...rest } = person
  const kept = mail !== undefined && ownsAddress(domains, mail)
  const names: string[] = []
  for (const name of usernames) {
    if (name.includes('@') && !ownsAddress(domains, name)) continue
    const key = usernameKey(name)
    if (key === undefined) continue
    // apps show the user name: two people must not look like one
    if (!(await taken(key))) names.push(name)
    names.push(`${name}@${id}`)
  }
  const [first = `${rest.upstreamId.slice(0, 60)}@${id}`, ...others] = names
  return {
    ...rest,
    usernames: [first, ...others],
    ...(kept ? { mail, mailVerified: mailVerified === true } : {}),
  }
}
