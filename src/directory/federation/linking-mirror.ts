/** The mirror, which first looks whether somebody whom a directory tells of for the first time is a person here already. */
import type { Identities } from '../identities.ts'
import type { Mirror } from '../mirror.ts'
import type { Belief } from './belief.ts'
import { ownsAddress } from './own-domains.ts'
import type { SamePerson } from './same-person.ts'

/** Only for directories of which the settings believe anything; of all others everybody who is new is somebody new. */
export function createLinkingMirror({
  mirror,
  identities,
  samePerson,
  beliefs,
}: {
  mirror: Mirror
  identities: Pick<Identities, 'owner' | 'link'>
  samePerson: SamePerson
  beliefs: readonly Belief[]
}): Mirror {
  return async (directory, upstream) => {
    const { upstreamId, mail, mailVerified } = upstream
    const belief = beliefs.find(({ id }) => id === directory.id)
    if (belief?.link && (await identities.owner(directory.id, upstreamId)) === undefined) {
      // whoever runs a directory gives out the addresses of its domains, and has no need to verify them
      const own = mail !== undefined && ownsAddress(belief.domains ?? [], mail)
      const same = await samePerson(directory.id, { ...upstream, mailVerified: mailVerified ?? own })
      if (same) await identities.link(same.id, { directory: directory.id, upstreamId }, 'rule')
    }
    return mirror(directory, upstream)
  }
}
