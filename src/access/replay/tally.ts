/** What a replay counts, in total and by app, group, site and person. */

import { createRecent } from '#core/recent'
import { normaliseAddress } from '#http'
import type { Facts, Policies } from '#policy'
import type { Receipt } from '../receipt.ts'

export const CHANGES = [
  'newly_denied',
  'newly_prompted',
  'no_longer_prompted',
  'newly_allowed',
  'unchanged',
  'not_comparable',
] as const

export type Change = (typeof CHANGES)[number]

export type Tally = Record<Change, number> & { openings: number }

export const DIMENSIONS = ['app', 'group', 'site', 'person'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export interface Tallies {
  readonly total: Tally
  readonly by: Readonly<Record<Dimension, ReadonlyMap<string, Tally>>>
  count(change: Change, about: Pick<Receipt, 'app' | 'policy' | 'person' | 'facts'>): void
}

const MOST_ADDRESSES = 10_000

const emptyTally = (): Tally => ({
  openings: 0,
  newly_denied: 0,
  newly_prompted: 0,
  no_longer_prompted: 0,
  newly_allowed: 0,
  unchanged: 0,
  not_comparable: 0,
})

/** Memory: one row for each app, group, site and person that occurs. `policies` name the networks. */
export function createTallies(policies: Policies): Tallies {
  const total = emptyTally()
  const by: Record<Dimension, Map<string, Tally>> = {
    app: new Map(),
    group: new Map(),
    site: new Map(),
    person: new Map(),
  }
  const sites = createRecent<string, readonly string[]>(MOST_ADDRESSES)

  /** A device's own site, else the named networks that its address is in. */
  function sitesOf(facts: Facts): readonly string[] {
    if (facts.device?.site) return [facts.device.site]
    const { ip, country } = facts.network ?? {}
    const address = ip === undefined ? undefined : normaliseAddress(ip)
    if (address === undefined) return ['unknown']
    const key = `${address} ${country}`
    let found = sites.get(key)
    if (!found) {
      const zones = [...policies.zones.values()].filter(
        (zone) => zone.contains(address) || (country && zone.countries?.has(country)),
      )
      found = zones.length > 0 ? zones.map(({ name }) => name) : ['elsewhere']
      sites.set(key, found)
    }
    return found
  }

  const add = (dimension: Dimension, key: string, change: Change) => {
    const tally = by[dimension].get(key) ?? emptyTally()
    by[dimension].set(key, tally)
    tally.openings++
    tally[change]++
  }

  return {
    total,
    by,
    count(change, { app, policy, person, facts }) {
      total.openings++
      total[change]++
      add('app', app ?? policy ?? '(none)', change)
      if (person !== undefined) add('person', person, change)
      if (!facts) return
      for (const group of facts.user?.groups ?? []) add('group', group, change)
      for (const site of sitesOf(facts)) add('site', site, change)
    },
  }
}
