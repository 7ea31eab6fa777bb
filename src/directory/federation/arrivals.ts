/**
 * Somebody comes back from another provider: who that is here. In this order: the identity is known; the settings trust
 * what the provider says about who is who; nobody here, and the settings say what becomes of newcomers.
 *
 * INVARIANT: a mail address alone never connects anybody. It does where the provider has verified it, owns its domain, is
 * believed so in the settings, and the person here has the same address verified or from a directory that owns it.
 */
import type { Clock, Instant } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Answer, Sending } from '#http'
import type { Identities } from '../identities.ts'
import { isUnavailable, type OpenDirectory } from '../kind.ts'
import type { Mirror } from '../mirror.ts'
import type { Outages } from '../outages.ts'
import type { Person } from '../person.ts'
import type { Store } from '../store.ts'
import { amrOf, assuranceOf } from './assurance.ts'
import type { Belief } from './belief.ts'
import type {
  Asked,
  Assurance,
  Away,
  Federated,
  Returned,
  Told,
  UpstreamHeard,
  UpstreamLogout,
  UpstreamSession,
  Vouched,
} from './federated.ts'
import type { OutOfReach } from './out-of-reach.ts'
import { withinOwnDomains } from './own-domains.ts'
import type { SamePerson } from './same-person.ts'

/** That somebody signed in at another provider; what the session keeps of it. */
export interface UpstreamProof {
  readonly factor: 'upstream'
  readonly at: Instant
  /** The provider does not tell when: `at` is when they came from there. */
  readonly ageUnknown?: true
  readonly amr: readonly string[]
  /** The directory in the settings. */
  readonly directory: string
  readonly assurance: Assurance
}

export type Arrival =
  | { readonly kind: 'known'; readonly person: Person }
  /** What may become of somebody who is not known here. */
  | { readonly kind: 'newcomer'; readonly may: readonly ('create' | 'prove')[] }

/** What a provider vouched for, within what it may say. Plain data: it waits in the errand while a newcomer is asked. */
export interface Arrived {
  readonly directory: string
  readonly vouched: Vouched
  readonly proof: UpstreamProof
  /** When they came back from there. */
  readonly at: Instant
}

export interface Choice {
  readonly id: string
  readonly title: string
  readonly stepUp: 'here' | 'there'
  /** It does not answer now, as far as is known. */
  readonly silent: boolean
}

export interface Federation {
  /** The providers that people can sign in at, in the order of the settings. */
  choices(): readonly Choice[]
  /** Whether the answers of this provider are forms. Throws `directory-unknown`. */
  takesForms(directory: string): boolean
  begin(directory: string, asked: Asked): Promise<Away>
  /** Checks the answer. Throws `upstream-refused`, `directory-unavailable`. */
  finish(directory: string, returned: Returned, remembered: Away['remembered']): Promise<Arrived>
  /** Throws `person-disabled`, `newcomer-refused`, `local-sign-in-only`. */
  arrive(arrived: Arrived): Promise<Arrival>
  /** Makes a newcomer a person here. Throws `newcomer-refused` where the settings do not want that. */
  create(arrived: Arrived): Promise<Person>
  /** The newcomer has proved to be this person. Throws `identity-taken`, `local-sign-in-only`. */
  connect(arrived: Arrived, personId: string): Promise<Person>
  signOutThere(directory: string, session: UpstreamSession, backTo: string): Promise<Sending | undefined>
  /** Throws `directory-unknown`, `not-found`, `upstream-refused`, `directory-unavailable`. */
  loggedOut(directory: string, told: Told): Promise<UpstreamLogout | UpstreamHeard>
  logoutRefused(directory: string, told: Told): Answer | undefined
  metadata(directory: string): Promise<{ readonly type: string; readonly body: string }>
}

interface Parts {
  readonly store: Store
  readonly directories: readonly OpenDirectory[]
  readonly beliefs: readonly Belief[]
  readonly identities: Identities
  readonly samePerson: SamePerson
  readonly outOfReach: OutOfReach
  readonly mirror: Mirror
  readonly outages: Pick<Outages, 'isSilent' | 'suspect' | 'vouched'>
  readonly clock: Clock
}

const BECOMES = {
  ask: ['create', 'prove'],
  create: ['create'],
  prove: ['prove'],
  refuse: [],
} as const satisfies Record<string, readonly ('create' | 'prove')[]>

export function createFederation(parts: Parts): Federation {
  const { store, directories, beliefs, identities, samePerson, outOfReach, mirror, outages, clock } = parts
  const beliefOf = (id: string) => beliefs.find((one) => one.id === id)!

  function at(id: string): { directory: OpenDirectory; federated: Federated; belief: Belief } {
    const directory = directories.find((one) => one.id === id)
    if (!directory?.federated) throw new Refusal('directory-unknown', 'no provider of this id')
    return { directory, federated: directory.federated, belief: beliefOf(id) }
  }

  /** However they came to be connected: by hand as well. */
  async function withinReach(personId: string): Promise<void> {
    if (await outOfReach.isBreakGlass(personId))
      throw new Refusal('local-sign-in-only', 'somebody of break_glass, from another provider')
  }

  async function welcome(arrived: Arrived): Promise<Person> {
    const person = await mirror(at(arrived.directory).directory, arrived.vouched.person)
    if (person.disabled) throw new Refusal('person-disabled', 'came from another provider', { subject: person.id })
    if (person.directory === arrived.directory) await outages.vouched(person.id, person.directory)
    return person
  }

  /** Whoever meets an outage first finds it out for everybody. */
  async function asking<T>(directory: OpenDirectory, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isUnavailable(error)) await outages.suspect(directory)
      throw error
    }
  }

  return {
    choices: () =>
      directories.flatMap(({ id, federated }) =>
        federated
          ? [{ id, title: federated.title, stepUp: beliefOf(id).step_up ?? 'here', silent: outages.isSilent(id) }]
          : [],
      ),
    takesForms: (id) => at(id).federated.posts === true,
    async begin(id, asked) {
      const { directory, federated } = at(id)
      // nobody is sent to a page that does not come, nor waits here for what others have waited for in vain
      if (outages.isSilent(id)) throw new Refusal('directory-unavailable', `directory ${id}: provider is down`)
      return asking(directory, () => federated.begin(asked))
    },

    async finish(id, returned, remembered) {
      const { directory, federated, belief } = at(id)
      const given = await asking(directory, () => federated.finish(returned, remembered))
      const owner = await identities.owner(id, given.person.upstreamId)
      const taken = async (key: string) =>
        outOfReach.isBreakGlassName(key) || (await store.byKey(key)).some((one) => one.id !== owner)
      const vouched = {
        ...given,
        person: await withinOwnDomains(
          given.person,
          { id, domains: belief.domains ?? [], plain: belief.usernames === 'plain' },
          taken,
        ),
      }
      const now = clock.now()
      const assurance = assuranceOf(belief.assurance ?? [], vouched, clock)
      const proof: UpstreamProof = {
        factor: 'upstream',
        // a clock that is ahead there must not make a sign-in younger than it is
        at: Math.min(vouched.at ?? now, now),
        ...(vouched.at === undefined ? { ageUnknown: true } : {}),
        amr: amrOf(vouched.amr, assurance),
        directory: id,
        assurance,
      }
      return { directory: id, vouched, proof, at: now }
    },

    async arrive(arrived) {
      const owner = await identities.owner(arrived.directory, arrived.vouched.person.upstreamId)
      if (owner !== undefined) {
        await withinReach(owner)
        return { kind: 'known', person: await welcome(arrived) }
      }
      const same = await samePerson(arrived.directory, arrived.vouched.person)
      if (same) {
        const { directory, vouched } = arrived
        await identities.link(same.id, { directory, upstreamId: vouched.person.upstreamId }, 'rule')
        return { kind: 'known', person: await welcome(arrived) }
      }
      const may = BECOMES[beliefOf(arrived.directory).newcomers ?? 'ask']
      if (may.length === 0) throw new Refusal('newcomer-refused', `directory ${arrived.directory}`)
      if (may.length === 1 && may[0] === 'create') return { kind: 'known', person: await welcome(arrived) }
      return { kind: 'newcomer', may }
    },

    async create(arrived) {
      const may: readonly string[] = BECOMES[beliefOf(arrived.directory).newcomers ?? 'ask']
      if (!may.includes('create')) throw new Refusal('newcomer-refused', `directory ${arrived.directory}`)
      // ATTACK: connected to somebody since, this identity is theirs: what was asked then is not an answer to it
      if (await identities.owner(arrived.directory, arrived.vouched.person.upstreamId))
        throw new Refusal('state-conflict', 'a newcomer who is known by now')
      return welcome(arrived)
    },

    async connect(arrived, personId) {
      await withinReach(personId)
      const { directory, vouched } = arrived
      await identities.link(personId, { directory, upstreamId: vouched.person.upstreamId }, personId)
      return welcome(arrived)
    },

    async signOutThere(id, session, backTo) {
      return at(id).federated.signOutThere?.(session, backTo)
    },
    async loggedOut(id, told) {
      const { federated } = at(id)
      if (!federated.loggedOut) throw new Refusal('not-found', `directory ${id} tells nothing`)
      const heard = await federated.loggedOut(told)
      if ('backTo' in heard || heard.subject === undefined || heard.sids.length > 0) return heard
      const owner = await identities.owner(id, heard.subject)
      const isAtHome = owner !== undefined && (await store.byId(owner))?.directory === id
      return isAtHome ? { ...heard, person: owner } : heard
    },
    logoutRefused: (id, told) => at(id).federated.logoutRefused?.(told),
    async metadata(id) {
      const { federated } = at(id)
      if (!federated.metadata) throw new Refusal('not-found', `directory ${id} has no metadata`)
      return federated.metadata()
    },
  }
}
