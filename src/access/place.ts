/** Where an address is. */
import type { Places } from '#context'
import { normaliseAddress } from '#http'
import { mergePlaces, type Policies } from '#policy'

/** What a site's file says, and where that is not all, what the database says. */
export function placeOf(
  address: string,
  { policies, places }: { readonly policies: Policies; readonly places: Pick<Places, 'find'> },
) {
  const plain = normaliseAddress(address)
  const site = plain === undefined ? undefined : policies.sites.at(plain)
  const complete = site?.country !== undefined && site.latitude !== undefined
  return mergePlaces(site, complete ? undefined : places.find(address))
}
