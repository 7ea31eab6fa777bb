/** Addresses, countries and sites that stand for all others, as far as rules can tell them apart. */
import type { Sample, Sampling } from './condition.ts'
import { distinct, otherThan } from './conditions/shapes.ts'
import type { Site } from './sites.ts'
import { edgesOf, type Zone } from './zones.ts'

/** What all conditions on the address look at: which networks it is in, and what its site says. */
interface Whereabouts {
  readonly addresses: readonly string[]
  /** Sites that an address can be in. */
  readonly sites: readonly Site[]
}

/** Thousands of sites take a while, and one check asks for them many times. */
const known = new WeakMap<Sampling['zones'], Whereabouts>()

function whereaboutsOf({ zones, sites }: Pick<Sampling, 'zones' | 'sites'>): Whereabouts {
  const found = known.get(zones)
  if (found) return found
  const all: Zone[] = [...zones.values()]
  const edges = ['0.0.0.0', '::', ...new Set(all.flatMap(edgesOf))]
  const names = new Map<string, Site>()
  const addresses = distinct(edges, (address) => {
    const site = sites.at(address)
    if (site) names.set(site.name, sites.named(site.name) ?? site)
    const says = site && [site.country, site.zone?.name, site.latitude !== undefined]
    return JSON.stringify([all.map((zone) => +zone.contains(address)).join(''), says])
  })
  const whereabouts = { addresses, sites: [...names.values()] }
  known.set(zones, whereabouts)
  return whereabouts
}

export function addressSample(sampling: Sampling): Sample {
  const { addresses } = whereaboutsOf(sampling)
  return { fact: 'network.ip', values: () => addresses }
}

/** Every country that a rule or a network names, and another. */
export function countriesOf({ zones, wanted }: Sampling): string[] {
  const lists = wanted('country') as readonly { readonly in?: string[]; readonly outside?: string[] }[]
  const named = new Set([
    ...lists.flatMap((list) => [...(list.in ?? []), ...(list.outside ?? [])]),
    ...[...zones.values()].flatMap((zone) => [...(zone.countries ?? [])]),
  ])
  // what a list may say where the country is not known
  named.delete('unknown')
  return [['ZZ', 'QZ', 'XZ'].find((code) => !named.has(code))!, ...named]
}

/** The addresses too, where a site file may say another country than a database. */
export function countrySamples(sampling: Sampling): Sample[] {
  const values = [...countriesOf(sampling), null]
  const bySite = whereaboutsOf(sampling).sites.some(({ country }) => country !== undefined)
  return [{ fact: 'network.country', values: () => values }, ...(bySite ? [addressSample(sampling)] : [])]
}

export const hasLocatedSites = (sampling: Sampling): boolean =>
  whereaboutsOf(sampling).sites.some(({ latitude }) => latitude !== undefined)

/** The sites that rules name; and of the others one for each clock on the wall, and one without. */
export function clocksOf(sampling: Sampling): readonly Site[] {
  const named = new Set((sampling.wanted('device.site') as readonly string[][]).flat())
  const others = whereaboutsOf(sampling).sites.filter(({ name }) => !named.has(name))
  return [
    ...[...named].map((name) => sampling.sites.named(name) ?? { name }),
    ...distinct([{ name: otherThan([...named]) }, ...others] as readonly Site[], ({ zone }) => zone?.name ?? ''),
  ]
}
