/**
 * Every group of verbs, by the first words of its commands, in the order in which `portico help` shows them. A command loads the verbs of
 * its own word only, for most of what a short command takes is loading: `apps search` needs neither an engine nor a database.
 * What a verb needs and its neighbours do not, it imports when it runs.
 */
import type { Verb } from '../verb.ts'

export interface VerbGroup {
  readonly word: string
  verbs(): Promise<readonly Verb[]>
}

const GROUPS: readonly VerbGroup[] = [
  { word: 'config', verbs: async () => (await import('./config.ts')).configVerbs },
  {
    word: 'policy',
    verbs: async () => {
      const { createPolicyVerbs } = await import('./policy.ts')
      const { policyDiffVerb } = await import('./policy-diff.ts')
      const { policyVersionsVerbs } = await import('./policy-versions.ts')
      const own = createPolicyVerbs(({ receipts }, reference) => receipts.find(reference))
      return [...own, policyDiffVerb, ...policyVersionsVerbs]
    },
  },
  { word: 'apps search', verbs: async () => [(await import('./apps-search.ts')).searchApps] },
  { word: 'apps', verbs: async () => (await import('./apps.ts')).appsVerbs },
  { word: 'apis', verbs: async () => (await import('./apis.ts')).apisVerbs },
  { word: 'partners', verbs: async () => (await import('./partners.ts')).partnersVerbs },
  { word: 'catalog', verbs: async () => (await import('./catalog.ts')).catalogVerbs },
  {
    word: 'people',
    verbs: async () => [
      ...(await import('./people.ts')).peopleVerbs,
      ...(await import('./people-identities.ts')).identityVerbs,
    ],
  },
  { word: 'groups', verbs: async () => (await import('./groups.ts')).groupsVerbs },
  {
    word: 'directories',
    verbs: async () => [
      ...(await import('./directories.ts')).directoriesVerbs,
      (await import('./directories-merge.ts')).mergeDirectories,
    ],
  },
  { word: 'sessions', verbs: async () => (await import('./sessions.ts')).sessionsVerbs },
  { word: 'devices', verbs: async () => (await import('./devices.ts')).devicesVerbs },
  { word: 'keys', verbs: async () => (await import('./keys.ts')).keysVerbs },
  {
    word: 'audit',
    verbs: async () => [
      ...(await import('./audit.ts')).auditVerbs,
      ...(await import('./audit-seals.ts')).auditSealVerbs,
    ],
  },
  { word: 'report', verbs: async () => (await import('./report.ts')).reportVerbs },
  { word: 'backup', verbs: async () => (await import('./backup.ts')).backupVerbs.slice(0, 1) },
  { word: 'restore', verbs: async () => (await import('./backup.ts')).backupVerbs.slice(1) },
  { word: 'expiring', verbs: async () => [(await import('./expiring.ts')).expiring] },
]

/** Those that the words may mean; for words that mean none of them, all there are. `first`: of whoever runs the command line. */
export async function verbsFor(words: readonly string[], first: readonly VerbGroup[] = []): Promise<readonly Verb[]> {
  const all = [...first, ...GROUPS]
  // of `apps search` and `apps` the longer one is meant
  const near = all.filter(({ word }) => word.split(' ').every((one, i) => words[i] === one))
  const longest = Math.max(...near.map(({ word }) => word.length))
  const meant = near.filter(({ word }) => word.length === longest)
  const own = (await Promise.all(meant.map((group) => group.verbs()))).flat()
  // a group is told from a wrong word of it by its second word, so that `apps serch` hears of all that is near
  if (own.some((verb) => verb.words.every((word, i) => words[i] === word))) return own
  return (await Promise.all(all.map((group) => group.verbs()))).flat()
}

export const allVerbs = (): Promise<readonly Verb[]> => verbsFor([])
