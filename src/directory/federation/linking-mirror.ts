/** The mirror, which first looks whether somebody whom a directory tells of for the first time is a person here already. */
import type { Identities } from '../identities.ts'
import type { OpenDirectory } from '../kind.ts'
import type { Mirror } from '../mirror.ts'
import type { Person } from '../person.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import type { Belief } from './belief.ts'
import { ownsAddress } from './own-domains.ts'
import type { SamePerson } from './same-person.ts'

/**
 * Who somebody is here whom a directory tells of. INVARIANT: the one answer for sign-ins and syncs of directories that
 * check passwords, so that nobody becomes another person by coming in the one way or the other first.
 */
export interface Connect {
  /** The person whom the settings believe it to be; undefined for somebody new, and for who is connected already. */
  match(directory: Pick<OpenDirectory, 'id'>, upstream: UpstreamPerson): Promise<Person | undefined>
  /** Connects somebody who is new to whom they are here, where the settings believe the directory that far; else does nothing. */
  connect(directory: Pick<OpenDirectory, 'id'>, upstream: UpstreamPerson): Promise<void>
}

export function createConnect({
  identities,
  samePerson,
  beliefs,
}: {
  identities: Pick<Identities, 'owner' | 'link'>
  samePerson: SamePerson
  beliefs: readonly Belief[]
}): Connect {
  const match: Connect['match'] = async ({ id: directory }, upstream) => {
    const { upstreamId, mail, mailVerified } = upstream
    const belief = beliefs.find(({ id }) => id === directory)
    if (!belief?.link || (await identities.owner(directory, upstreamId)) !== undefined) return undefined
    // whoever runs a directory gives out the addresses of its domains, and has no need to verify them
    const own = mail !== undefined && ownsAddress(belief.domains ?? [], mail)
    return samePerson(directory, { ...upstream, mailVerified: mailVerified ?? own })
  }
  return Object.freeze({
    match,
    async connect(directory: Pick<OpenDirectory, 'id'>, upstream: UpstreamPerson) {
      const same = await match(directory, upstream)
      const { upstreamId } = upstream
      if (same) await identities.link(same.id, { directory: directory.id, upstreamId }, 'rule')
    },
  })
}

/** Only for directories of which the settings believe anything; of all others everybody who is new is somebody new. */
export const createLinkingMirror =
  (mirror: Mirror, { connect }: Pick<Connect, 'connect'>): Mirror =>
  async (directory, upstream) => {
    await connect(directory, upstream)
    return mirror(directory, upstream)
  }
