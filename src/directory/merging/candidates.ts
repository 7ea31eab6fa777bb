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
  /** Only these people; so many that they fit into one question. */
  readonly ids?: readonly string[]
}

/** So many at once, because nothing but what a candidate is need be in memory for all. */
const PAGE = 2000

/** By their user names. */
export async function candidatesOf(directory: string, options: CandidatesOptions): Promise<Candidate[]> {
  const { store, domainsOf, breakGlass, ids } = options
  const domains = domainsOf(directory)
  const kept = new Set(breakGlass.map(usernameKey))
  const there = store.db.selectFrom('people').selectAll().where('directory', '=', directory)
  const wanted = ids === undefined ? there : there.where('id', 'in', [...ids])
  const all: Candidate[] = []
  for (let last = ''; ; ) {
    const rows = await wanted.where('username_key', '>', last).orderBy('username_key').limit(PAGE).execute()
    const beside = await besideOf(
      store,
      rows.map(({ id }) => id),
    )
    for (const row of rows) {
      const { id, username, mail, mailVerified, attributes, disabled } = store.toPerson(row)
      const { administrators, linked } = beside
      all.push({
        id,
        username,
        key: row.username_key,
        mail: mail !== undefined && isAscii(mail) ? mail.toLowerCase() : undefined,
        mailProven: mail !== undefined && (mailVerified || ownsAddress(domains, mail)),
        attributes,
        disabled,
        administrator: administrators.has(id),
        breakGlass: kept.has(row.username_key),
        linked: linked.get(id) ?? NONE,
      })
    }
    if (rows.length < PAGE) return all
    last = rows.at(-1)!.username_key
  }
}

const NONE: readonly string[] = Object.freeze([])

/** What other tables say of some people: who of them is an administrator, and which directories know them as well. */
async function besideOf({ db }: Store, ids: readonly string[]) {
  const given = await db
    .selectFrom('memberships')
    .select('person_id')
    .where('group_name', '=', ADMINISTRATORS)
    .where('person_id', 'in', ids)
    .execute()
  const linked = new Map<string, string[]>()
  const identities = db.selectFrom('identities').select(['person_id', 'directory']).where('person_id', 'in', ids)
  for (const row of await identities.execute())
    linked.set(row.person_id, [...(linked.get(row.person_id) ?? []), row.directory])
  return { administrators: new Set(given.map((row) => row.person_id)), linked }
}
