/** Signing in from a provider whose words a test chooses. */
import type { Federation, People } from '#directory'
import { createFederation } from '../../src/directory/federation/arrivals.ts'
import type { Belief } from '../../src/directory/federation/belief.ts'
import type { Vouched } from '../../src/directory/federation/federated.ts'
import { createOutOfReach } from '../../src/directory/federation/out-of-reach.ts'
import { createSamePerson } from '../../src/directory/federation/same-person.ts'
import { createIdentities } from '../../src/directory/identities.ts'
import type { OpenDirectory } from '../../src/directory/kind.ts'
import { createMirror } from '../../src/directory/mirror.ts'
import { createStore } from '../../src/directory/store.ts'
import { openHouse } from './house.ts'

const LOCAL: Belief = { id: 'local', domains: ['kestrel.example'] }
const PARTNER: Belief = {
  id: 'partner',
  domains: ['partner.example'],
  link: { mail: true, attribute: 'employee_number' },
  newcomers: 'create',
  assurance: [
    { amr: ['mfa'], is: 'two-factors', within: '12h' },
    { acr: ['phr'], is: 'phishing-resistant' },
  ],
}

export interface World {
  readonly people: People
  readonly federation: Federation
  /** What the provider says next. */
  says: Vouched
  come(more: Partial<Vouched['person']>, about?: Partial<Vouched>, from?: string): ReturnType<Federation['arrive']>
  unlink(person: string): Promise<boolean>
  link(person: string): Promise<void>
  readonly pass: (ms: number) => void
  readonly now: () => number
}

/** The room with one provider whose words a test chooses; tables, mirror and rules are the real ones. */
export async function world(belief: Partial<Belief> = {}, ...more: Belief[]): Promise<World> {
  const { people, storage, clock, audit, said } = await openHouse([{ id: 'local', kind: 'local' }])
  const log = { info: () => {}, error: () => {}, warn: (event: string) => void said.push(event) }
  const store = createStore(storage, new Set(['local', 'partner', ...more.map(({ id }) => id)]))
  const mirror = createMirror({ store, clock, log, audit, tellDisabled: async () => {} })
  const identities = createIdentities({ store, clock, audit })
  const given: { says: Vouched } = { says: undefined as never }
  const provider = ({ id }: Belief): OpenDirectory => ({
    id,
    kind: 'oidc',
    organisation: undefined,
    local: false,
    federated: {
      title: id,
      begin: async () => ({ url: '', remembered: {} }),
      finish: async () => given.says,
    },
    verify: async () => 'wrong',
    async *test() {},
  })
  const beliefs = [LOCAL, { ...PARTNER, ...belief }, ...more]
  const directories = beliefs.slice(1).map(provider)
  const outOfReach = createOutOfReach(store, ['Glass'])
  const samePerson = createSamePerson({ store, identities, beliefs, outOfReach, log })
  const outages = { isSilent: () => false, suspect: async () => false, vouched: async () => {} }
  const federation = createFederation({
    ...{ store, directories, beliefs, identities, samePerson, outOfReach, mirror, outages, clock },
  })
  return Object.assign(given, {
    people,
    federation,
    unlink: (person: string) => identities.unlink(person, 'partner', 'test'),
    link: (person: string) => identities.link(person, { directory: 'partner', upstreamId: 'one' }, 'test'),
    pass: clock.pass,
    now: clock.now,
    async come(more: Partial<Vouched['person']>, about: Partial<Vouched> = {}, from = 'partner') {
      given.says = {
        person: { upstreamId: 'one', usernames: ['someone'], name: 'Some One', groups: [], ...more },
        amr: [],
        at: clock.now(),
        session: { subject: 'one' },
        ...about,
      }
      const arrived = await federation.finish(from, { url: new URL('http://x'), form: new Map() }, {})
      return federation.arrive(arrived)
    },
  })
}

export const known = async (arrival: ReturnType<Federation['arrive']>) => {
  const one = await arrival
  if (one.kind !== 'known') throw new Error('is a newcomer')
  return one.person
}
