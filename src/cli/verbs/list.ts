/** Every verb there is, in the order in which `portico help` shows them. */
import type { Verb } from '../verb.ts'
import { appsVerbs } from './apps.ts'
import { auditVerbs } from './audit.ts'
import { catalogVerbs } from './catalog.ts'
import { configVerbs } from './config.ts'
import { devicesVerbs } from './devices.ts'
import { directoriesVerbs } from './directories.ts'
import { mergeDirectories } from './directories-merge.ts'
import { expiring } from './expiring.ts'
import { groupsVerbs } from './groups.ts'
import { keysVerbs } from './keys.ts'
import { peopleVerbs } from './people.ts'
import { identityVerbs } from './people-identities.ts'
import { createPolicyVerbs } from './policy.ts'
import { policyDiffVerb } from './policy-diff.ts'
import { policyVersionsVerbs } from './policy-versions.ts'
import { reportVerbs } from './report.ts'
import { sessionsVerbs } from './sessions.ts'

export const VERBS: readonly Verb[] = [
  ...configVerbs,
  ...createPolicyVerbs(({ receipts }, reference) => receipts.find(reference)),
  policyDiffVerb,
  ...policyVersionsVerbs,
  ...appsVerbs,
  ...catalogVerbs,
  ...peopleVerbs,
  ...identityVerbs,
  ...groupsVerbs,
  ...directoriesVerbs,
  mergeDirectories,
  ...sessionsVerbs,
  ...devicesVerbs,
  ...keysVerbs,
  ...auditVerbs,
  ...reportVerbs,
  expiring,
]
