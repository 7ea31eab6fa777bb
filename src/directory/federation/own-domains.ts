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

export const isAscii = (text: string): boolean => /^[\x21-\x7e]*$/.test(text)

/** The domain itself, never one below it: those may be somebody else's. */
export const ownsAddress = (domains: readonly string[], address: string): boolean => {
  const domain = isAscii(address) ? domainOf(address) : undefined
  return domain !== undefined && domains.includes(domain)
}

/**
 * The person without what the provider has no say in: a mail address of another domain, a user name that looks like one,
 * a verification that was not its to give. User names get the id of the directory behind them, unless the settings want
 * them `plain`; `taken` says whether anybody else has one already.
 * ATTACK: apps show user names, and some know people by them: nobody becomes somebody else by what they call themselves
 * there, whoever of the two comes first.
 */
export async function withinOwnDomains(
  person: UpstreamPerson,
  { id, domains, plain }: { readonly id: string; readonly domains: readonly string[]; readonly plain: boolean },
  taken: (key: string) => Promise<boolean>,
): Promise<UpstreamPerson> {
  const { mail, mailVerified, usernames, ...rest } = person
  const own = mail !== undefined && ownsAddress(domains, mail) ? mail : undefined
  const proved = own !== undefined && mailVerified === true ? own.toLowerCase() : undefined
  const names: string[] = []
  for (const name of usernames) {
    const isAddress = name.includes('@')
    // an address is a name where the provider has seen that it is theirs, and nothing otherwise
    if (isAddress && name.toLowerCase() !== proved) continue
    const wanted = isAddress ? [name] : plain ? [name, `${name}@${id}`] : [`${name}@${id}`]
    for (const one of wanted) {
      const key = usernameKey(one)
      if (key !== undefined && !(await taken(key))) names.push(one)
    }
  }
  const [first = `${rest.upstreamId.slice(0, 60)}@${id}`, ...others] = names
  return {
    ...rest,
    usernames: [first, ...others],
    ...(own === undefined ? {} : { mail: own, mailVerified: mailVerified === true }),
  }
}
