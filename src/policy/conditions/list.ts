/** Every condition there is. To add one: its file, and a line here. */
import { nearest } from '#core/nearest'
import type { Condition } from '../condition.ts'
import { appId } from './app-id.ts'
import { appProbed } from './app-probed.ts'
import { appTags } from './app-tags.ts'
import { appTier } from './app-tier.ts'
import { clientAuthentication } from './client-authentication.ts'
import { clientFailures } from './client-failures.ts'
import { clientId } from './client-id.ts'
import { clientNetworkKnown } from './client-network-known.ts'
import { clientOrganisation } from './client-organisation.ts'
import { clientVolume } from './client-volume.ts'
import { country } from './country.ts'
import { deviceEnrolled } from './device-enrolled.ts'
import { deviceKind } from './device-kind.ts'
import { deviceKnown } from './device-known.ts'
import { devicePlatform } from './device-platform.ts'
import { deviceSite } from './device-site.ts'
import { frequencyAbsent } from './frequency-absent.ts'
import { frequencyAppOpens } from './frequency-app-opens.ts'
import { frequencyFailures } from './frequency-failures.ts'
import { frequencyPrompts } from './frequency-prompts.ts'
import { frequencySignIns } from './frequency-sign-ins.ts'
import { network } from './network.ts'
import { requestAuthorizationDetails } from './request-authorization-details.ts'
import { requestKind } from './request-kind.ts'
import { sessionAge } from './session-age.ts'
import { time } from './time.ts'
import { travelDistance } from './travel-distance.ts'
import { travelNewCountry } from './travel-new-country.ts'
import { travelSpeed } from './travel-speed.ts'
import { upstreamAssurance } from './upstream-assurance.ts'
import { userAttribute } from './user-attribute.ts'
import { userDirectory } from './user-directory.ts'
import { userGroups } from './user-groups.ts'
import { userId } from './user-id.ts'
import { userOrganisation } from './user-organisation.ts'

export const CONDITIONS: readonly Condition[] = Object.freeze([
  userGroups,
  userId,
  userDirectory,
  userOrganisation,
  userAttribute,
  appId,
  appTags,
  appTier,
  appProbed,
  network,
  country,
  deviceKnown,
  deviceEnrolled,
  deviceKind,
  deviceSite,
  devicePlatform,
  travelSpeed,
  travelDistance,
  travelNewCountry,
  frequencySignIns,
  frequencyFailures,
  frequencyAppOpens,
  frequencyPrompts,
  frequencyAbsent,
  time,
  sessionAge,
  upstreamAssurance,
  requestKind,
  requestAuthorizationDetails,
  clientId,
  clientOrganisation,
  clientAuthentication,
  clientNetworkKnown,
  clientFailures,
  clientVolume,
])

const byName = new Map(CONDITIONS.map((condition) => [condition.name, condition]))
const prefixed = CONDITIONS.filter((condition) => condition.name.endsWith('.'))

/** The condition of a name as a rule writes it, and what stands behind its prefix. */
export function findCondition(written: string): { condition: Condition; rest: string } | undefined {
  const exact = byName.get(written)
  if (exact && !written.endsWith('.')) return { condition: exact, rest: '' }
  const condition = prefixed.find(({ name }) => written.startsWith(name) && written.length > name.length)
  return condition && { condition, rest: written.slice(condition.name.length) }
}

/** The known name nearest to one that is not known. */
export const nearestCondition = (written: string): string | undefined =>
  nearest(written, [
    ...CONDITIONS.map(({ name }) => (name.endsWith('.') ? `${name}<name>` : name)),
    'any',
    'all',
    'not',
  ])
