/** The people of the two directories, with what a match or a conflict is found by. */
import { isAscii, ownsAddress } from '../federation/own-domains.ts'
import { ADMINISTRATORS, usernameKey } from '../person.ts'
import type { Store } from '../store.ts'

export interface Candidate {
  readonly id: string
  readonly username: string
  /** As user names are compared; of somebody whose name another one has now it is nobody's. */
  readonly key: string
  readonly mail: string | undefined
  /** Mail arrived there, or the address is in a domain of its own directory. */
  readonly mailProven: boolean
  readonly attributes: Readonly<Record<string, readonly string[]>>
  readonly disabled: boolean
  readonly administrator: boolean
  readonly breakGlass: boolean
  /** Directories that know this person by another account. */
  readonly linked: readonly string[]
}

export interface CandidatesOptions {
  readonly store: Store
  /** Mail domains of a directory. */
  domainsOf(directory: string): readonly string[]
  /** User names of the setting `break_glass`. */
  readonly breakGlass: readonly string[]
  /** Only this person. */
  readonly id?: string
}

export async function candidatesOf(directory: string, options: CandidatesOptions): Promise<Candidate[]> {
  const { store, domainsOf, breakGlass } = options
  const { db } = store
  const there = db.selectFrom('people').where('directory', '=', directory)
  const wanted = options.id === undefined ? there : there.where('id', '=', options.id)
  const own = wanted.select('id')
  const rows = await wanted.selectAll().orderBy('username_key').execute()
  const administrators = new Set(
    (
      await db
        .selectFrom('memberships')
        .select('person_id')
        .where('group_name', '=', ADMINISTRATORS)
        .where('person_id', 'in', own)
        .execute()
    ).map((row) => row.person_id),
  )
  const linked = new Map<string, string[]>()
  for (const row of await db
    .selectFrom('identities')
    .select(['person_id', 'directory'])
    .where('person_id', 'in', own)
    .execute())
    linked.set(row.person_id, [...(linked.get(row.person_id) ?? []), row.directory])
  const kept = new Set(breakGlass.map(usernameKey))
  const domains = domainsOf(directory)
  return rows.map((row) => {
    const { id, username, mail, mailVerified, attributes, disabled } = store.toPerson(row)
    return {
      id,
      username,
      key: row.username_key,
      mail: mail !== undefined && isAscii(mail) ? mail.toLowerCase() : undefined,
      mailProven: mail !== undefined && (mailVerified || ownsAddress(domains, mail)),
      attributes,
      disabled,
      administrator: administrators.has(id),
      breakGlass: kept.has(row.username_key),
      linked: linked.get(id) ?? [],
    }
  })
}
