/** Which of the groups found are taken over, and what they are called here. */
import { Refusal } from '#core/refusal'
import { groupProblem, isAdministrators } from '../person.ts'
import { keyOfDn, parseDn } from './ldap-dn.ts'
import { clean, type LdapSettings } from './ldap-entry.ts'
import type { Group } from './ldap-groups.ts'

/** Sorted and each once. */
export type GroupNames = (groups: readonly Group[]) => string[]

/** Throws `settings-invalid` for a name that no group can have here. */
export function createGroupNames(settings: LdapSettings): GroupNames {
  const { only, map } = settings.groups
  const own = new Map<string, readonly string[]>()
  for (const to of Object.values(map).flat()) {
    const problem = groupProblem(to)
    const wrong = (say: string) =>
      new Refusal('settings-invalid', `directories: ${settings.id}: \`groups.map\`: \`${to}\`: ${say}`)
    if (problem) throw wrong(problem[1])
    // ATTACK: whoever decides about a group upstream would decide who may do everything here
    if (isAdministrators(to)) throw wrong('who is an administrator is said in Portico only')
  }
  for (const [from, to] of Object.entries(map)) own.set(keyOf(from), to)
  const taken = only?.map(patternOf)
  return (groups) => {
    const names = groups.flatMap(({ dn, name }) => {
      const mapped = own.get(keyOfDn(dn)) ?? own.get(folded(name))
      if (mapped !== undefined) return mapped
      // characters that could end a header or a line are made visible, never dropped with the group
      return !taken || taken.some((matches) => matches(dn, name)) ? [clean(name)] : []
    })
    return [...new Set(names)].filter(Boolean).sort()
  }
}

const folded = (text: string): string => text.normalize('NFC').toLowerCase()
const isDn = (text: string): boolean => text.includes('=') && parseDn(text) !== undefined
const keyOf = (written: string): string => (isDn(written) ? keyOfDn(written) : folded(written))

/** `*` stands for any text, in a name or in a DN. Without a search tree: no pattern is slow. */
function patternOf(written: string): (dn: string, name: string) => boolean {
  const [first = '', ...rest] = keyOf(written).split('*')
  const matches = (text: string): boolean => {
    if (rest.length === 0) return text === first
    const last = rest.at(-1)!
    if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false
    const end = text.length - last.length
    let at = first.length
    for (const piece of rest.slice(0, -1)) {
      const found = text.indexOf(piece, at)
      if (found < 0 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
  return isDn(written) ? (dn) => matches(keyOfDn(dn)) : (_, name) => matches(folded(name))
}
