/** Whether somebody whom a directory tells of is a person here already, by what the settings believe that directory. */
import { sql } from 'kysely'
import type { Log } from '#core/log'
import type { Identities } from '../identities.ts'
import type { Person } from '../person.ts'
import type { Store } from '../store.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import type { Belief } from './belief.ts'
import type { OutOfReach } from './out-of-reach.ts'
import { isAscii, ownsAddress } from './own-domains.ts'

/** Undefined where it is nobody, or more than one. Disabled people are found: they do not come back as somebody new. */
export type SamePerson = (directory: string, upstream: UpstreamPerson) => Promise<Person | undefined>

export function createSamePerson({
  store,
  identities,
  beliefs,
  outOfReach,
  log,
}: {
  store: Store
  identities: Pick<Identities, 'identities' | 'refused'>
  beliefs: readonly Belief[]
  outOfReach: OutOfReach
  log: Log
}): SamePerson {
  const { db } = store
  const beliefOf = (id: string) => beliefs.find((one) => one.id === id)

  async function byMail(mail: string): Promise<Person[]> {
    const rows = await db
      .selectFrom('people')
      .selectAll()
      .where(sql<string>`lower(mail)`, '=', mail.toLowerCase())
      .execute()
    return rows.map(store.toPerson)
  }

  /**
   * Values that were given here, or that come from a directory which is believed in the same attribute.
   * ATTACK: people of a partner whose own profile says so would otherwise wait for the one who has that number to come.
   */
  async function byAttribute(name: string, value: string): Promise<Person[]> {
    // as it stands in the column; what merely looks alike is sorted out below
    const part = `%${JSON.stringify(value).replace(/[\\%_]/g, '\\$&')}%`
    const rows = await db
      .selectFrom('people')
      .selectAll()
      .where((eb) =>
        eb.or([
          sql<boolean>`attributes like ${part} escape '\\'`,
          sql<boolean>`upstream_attributes like ${part} escape '\\'`,
        ]),
      )
      .execute()
    const has = (text: string) => (JSON.parse(text) as Person['attributes'])[name]?.includes(value) === true
    return rows
      .filter(
        (row) =>
          has(row.attributes) || (has(row.upstream_attributes) && beliefOf(row.directory)?.link?.attribute === name),
      )
      .map(store.toPerson)
  }

  return async (directory, { upstreamId, mail, mailVerified, attributes }) => {
    const { link } = beliefOf(directory) ?? {}
    const found: Person[] = []
    // ATTACK: letters of other scripts that lower case turns into ours
    if (link?.mail && mail !== undefined && mailVerified && isAscii(mail)) {
      // the address here must be as good as the one there
      const good = (one: Person) => one.mailVerified || ownsAddress(beliefOf(one.directory)?.domains ?? [], mail)
      found.push(...(await byMail(mail)).filter(good))
    }
    if (link?.attribute !== undefined)
      for (const value of attributes?.[link.attribute] ?? []) found.push(...(await byAttribute(link.attribute, value)))
    const others = new Map(found.filter((one) => one.directory !== directory).map((one) => [one.id, one]))
    if (others.size > 1) log.warn('identity-ambiguous', { directory, found: others.size })
    const [one] = others.values()
    if (!one || others.size > 1) return undefined
    if (await outOfReach.isBreakGlass(one.id)) {
      log.warn('identity-break-glass', { directory, person: one.id })
      return undefined
    }
    // nor while nobody can tell
    if (one.groups === undefined || (await outOfReach.isAdministrator(one.id))) {
      log.warn('identity-administrator', { directory, person: one.id })
      return undefined
    }
    // taken from them by hand: it is for a hand to give it back
    if (await identities.refused(one.id, directory, upstreamId)) return undefined
    // with another identity of that directory already, this is somebody else, or a second account of theirs
    return (await identities.identities(one.id)).some((own) => own.directory === directory) ? undefined : one
  }
}
