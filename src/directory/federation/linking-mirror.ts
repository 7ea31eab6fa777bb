/** The mirror, which first looks whether somebody whom a directory tells of for the first time is a person here already. */
import type { Identities } from '../identities.ts'
import type { OpenDirectory } from '../kind.ts'
import type { Mirror } from '../mirror.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import type { Belief } from './belief.ts'
import { ownsAddress } from './own-domains.ts'
import type { SamePerson } from './same-person.ts'

/** Connects somebody who is new to whom they are here, where the settings believe the directory that far; else does nothing. */
export type Connect = (directory: Pick<OpenDirectory, 'id'>, upstream: UpstreamPerson) => Promise<void>

export function createConnect({
  identities,
  samePerson,
  beliefs,
}: {
  identities: Pick<Identities, 'owner' | 'link'>
  samePerson: SamePerson
  beliefs: readonly Belief[]
}): Connect {
  return async ({ id: directory }, upstream) => {
    const { upstreamId, mail, mailVerified } = upstream
    const belief = beliefs.find(({ id }) => id === directory)
    if (!belief?.link || (await identities.owner(directory, upstreamId)) !== undefined) return
    // whoever runs a directory gives out the addresses of its domains, and has no need to verify them
    const own = mail !== undefined && ownsAddress(belief.domains ?? [], mail)
    const same = await samePerson(directory, { ...upstream, mailVerified: mailVerified ?? own })
    if (same) await identities.link(same.id, { directory, upstreamId }, 'rule')
  }
}

/** Only for directories of which the settings believe anything; of all others everybody who is new is somebody new. */
export const createLinkingMirror =
  (mirror: Mirror, connect: Connect): Mirror =>
  async (directory, upstream) => {
    await connect(directory, upstream)
    return mirror(directory, upstream)
  }
