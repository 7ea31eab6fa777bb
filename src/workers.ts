/** How many processes serve, and what is printed once they do. */
import { availableParallelism } from 'node:os'
import type { Settings } from '#config'

/**
 * `auto`: one on SQLite, where all of them would write one file by turns; on PostgreSQL one for each core. Decision 29 says
 * how that would be measured.
 */
export function workersOf({ workers, storage }: Pick<Settings, 'workers' | 'storage'>): number {
  if (workers !== 'auto') return workers
  return storage.url.startsWith('sqlite:') ? 1 : availableParallelism()
}

export interface Claim {
  readonly claimUrl: string | undefined
  readonly claimTooLate: boolean
}

export const firstWords = (issuer: string, { claimUrl, claimTooLate }: Claim): readonly string[] => [
  ...(claimUrl === undefined ? [] : [`make the first administrator within 30 minutes: ${claimUrl}`]),
  ...(claimTooLate
    ? [
        'nobody is here yet, and the link for the first administrator was made before; without it: portico people add USERNAME --name NAME --group administrators --group staff --password-stdin',
      ]
    : []),
  `ready ${issuer}`,
]
