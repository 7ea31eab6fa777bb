/** Who has which name: an entity id or a host is one app's alone, also among all that one run applies. */
import { type Definition, namesOf } from './app.ts'
import type { AppName } from './protocols/protocol.ts'
import type { StoredApp } from './registry-writing.ts'

const key = ({ kind, name }: AppName): string => `${kind} ${name}`

export interface Clash {
  readonly id: string
  readonly name: AppName
  /** The id of the app that has it, or wants it as well. */
  readonly other: string
}

/** Of the wanted apps those whose names another one keeps or wants too. `gone`: will be removed. */
export function clashes(
  wanted: readonly Definition[],
  there: ReadonlyMap<string, StoredApp>,
  gone: ReadonlySet<string>,
): Clash[] {
  const ids = new Set(wanted.map(({ id }) => id))
  const owners = new Map<string, string[]>()
  const own = (definition: Definition) => {
    for (const name of namesOf(definition)) owners.set(key(name), [...(owners.get(key(name)) ?? []), definition.id])
  }
  wanted.forEach(own)
  for (const [id, { definition }] of there) if (!ids.has(id) && !gone.has(id)) own(definition)
  return wanted.flatMap((definition) =>
    namesOf(definition).flatMap((name) => {
      const other = owners.get(key(name))?.find((id) => id !== definition.id)
      return other === undefined ? [] : [{ id: definition.id, name, other }]
    }),
  )
}

/**
 * The ids in groups that are written together: apps of which one gets a name that another one gives away. All others
 * are alone. In the order of the ids.
 */
export function groupsOf(
  ids: readonly string[],
  wanted: ReadonlyMap<string, Definition>,
  there: ReadonlyMap<string, StoredApp>,
): string[][] {
  const owner = new Map<string, string>()
  for (const id of ids) {
    const before = there.get(id)?.definition
    if (before) for (const name of namesOf(before)) owner.set(key(name), id)
  }
  const group = new Map(ids.map((id) => [id, [id]]))
  for (const id of ids) {
    const after = wanted.get(id)
    for (const name of after ? namesOf(after) : []) {
      const [own, giver] = [group.get(id)!, group.get(owner.get(key(name)) ?? id)!]
      if (own === giver) continue
      own.push(...giver)
      for (const member of giver) group.set(member, own)
    }
  }
  return [...new Set(group.values())].map((members) => members.sort()).sort(([a], [b]) => (a! < b! ? -1 : 1))
}
