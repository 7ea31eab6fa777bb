/** What holds for people whose directory cannot be asked: who may enter meanwhile, and what that is worth. */
import type { Instant } from '#core/clock'
import type { ConfirmedPeople, Declared, SeenDevice } from './confirmed.ts'
import { fits } from './confirmed.ts'
import type { OpenDirectory } from './kind.ts'
import { createOutageWatch, type WatchParts } from './outage-watch.ts'
import type { Person } from './person.ts'

/** What holds for one person while their directory is down. */
export interface PersonOutage {
  readonly since: Instant
  /** First moment at which nothing is open any more. */
  readonly until: Instant
  readonly tiers: readonly string[]
  /** When the directory vouched for the person last. */
  readonly verified?: Instant
  /** When it told their groups last. */
  readonly groupsAt?: Instant
}

/** `person` undefined: the directory is back, was asked, and knows them no more. */
export interface Standing {
  readonly person: Person | undefined
  readonly outage?: PersonOutage
}

export interface DirectoryState {
  readonly id: string
  readonly kind: string
  /** `returning`: it answers again, and not everybody was judged anew. `unknown`: nobody has asked yet. */
  readonly state: 'up' | 'down' | 'returning' | 'unknown'
  readonly since?: Instant
  /** Its settings declare what is open while it is down. */
  readonly degraded: boolean
}

export interface OutagesParts extends WatchParts {
  readonly confirmed: ConfirmedPeople
}

export async function createOutages(parts: OutagesParts) {
  const { clock, directories, declared, confirmed, rejudging } = parts
  const watch = await createOutageWatch(parts)
  const { stateOf } = watch

  /** The time after which nothing is open for somebody whom the directory confirmed then. */
  const untilOf = (since: Instant, rules: Declared, confirmedAt: Instant | null | undefined): Instant =>
    confirmedAt == null ? since : Math.min(since + rules.for, Number(confirmedAt) + rules.verifiedWithin)

  const isProvider = (id: string) => directories.some((one) => one.id === id && one.federated !== undefined)

  const outageAt = (id: string): { since: Instant; rules: Declared } | undefined => {
    const state = stateOf(id)
    const rules = declared.get(id)
    return state && !state.returning && rules ? { since: state.since, rules } : undefined
  }

  return Object.freeze({
    /** It is known not to answer, and its settings declare what holds: nobody need wait for it. */
    isDown: (id: string): boolean => outageAt(id) !== undefined,

    /** It is known not to answer, whatever is declared. */
    isSilent(id: string): boolean {
      const state = stateOf(id)
      if (state) return !state.returning
      return directories.find((one) => one.id === id)?.health?.().state === 'down'
    },

    /**
     * Whether what this person gives now is given without a word of their own provider, which only they can ask: then it
     * opens what is declared, and they have to ask it when it is back. No read while it answers.
     */
    async isUnasked({ id, directory }: Pick<Person, 'id' | 'directory'>): Promise<boolean> {
      const state = stateOf(directory)
      if (!state || !declared.has(directory) || !isProvider(directory)) return false
      return !state.returning || (await rejudging.isListed(id))
    },

    /** A provider has just vouched for one of its people, who has signed in there. */
    async vouched(id: string, directory: string): Promise<void> {
      await confirmed.vouched(id, directory)
      if (stateOf(directory)) await rejudging.vouched(id, directory)
    },

    /** Something has failed: looks at once whether the directory is down, where that makes a difference. */
    async suspect(directory: OpenDirectory): Promise<boolean> {
      if (!directory.look) return false
      if (!declared.has(directory.id)) await watch.settle(directory)
      else if (outageAt(directory.id) === undefined) await watch.lookAt(directory)
      return outageAt(directory.id) !== undefined
    },

    /** Whether sign-ins on such a device are declared for any directory that is down now. */
    takes(device: SeenDevice): boolean {
      const now = clock.now()
      return [...watch.ids()].some((id) => {
        // a provider takes no passwords here, in an outage as little as before
        const outage = isProvider(id) ? undefined : outageAt(id)
        return outage !== undefined && now < outage.since + outage.rules.for && fits(outage.rules, device)
      })
    },

    /** Whether somebody of a directory that is down may sign in, whose password, or else existence, it confirmed then. */
    mayEnter(id: string, device: SeenDevice, confirmedAt: Instant | null | undefined): boolean {
      const outage = outageAt(id)
      if (!outage || !fits(outage.rules, device)) return false
      return clock.now() < untilOf(outage.since, outage.rules, confirmedAt)
    },

    /** No read, and nothing to wait for, while the person's directory answers. */
    async standing(person: Person): Promise<Standing> {
      const state = stateOf(person.directory)
      if (!state) return { person }
      const directory = directories.find(({ id }) => id === person.directory)
      // nobody but they themselves can ask it: what they gave meanwhile is marked, and counts as little as before
      if (state.returning && directory?.federated) return { person }
      if (state.returning) {
        const judged = directory ? await rejudging.now(directory, person.id) : person
        // back, and asked about this very person: what was done meanwhile counts no more than the answer
        if (judged !== 'unavailable') return { person: judged === 'gone' ? undefined : (judged ?? person) }
      }
      const rules = declared.get(person.directory)
      if (!rules) return { person }
      const found = await confirmed.find(person.id)
      const { since } = state
      return {
        person,
        outage: {
          since,
          until: untilOf(since, rules, found?.confirmed_at),
          tiers: rules.tiers,
          ...(found ? { verified: Number(found.confirmed_at) } : {}),
          ...(found?.groups_at == null ? {} : { groupsAt: Number(found.groups_at) }),
        },
      }
    },

    /** See `OutageWatch`. */
    look: watch.look,

    states: (): readonly DirectoryState[] =>
      directories.map((directory) => {
        const { id, kind } = directory
        const state = stateOf(id)
        const health = directory.health?.().state ?? (directory.local ? 'up' : 'unknown')
        const degraded = declared.has(id)
        if (!state) return { id, kind, state: health, degraded }
        return { id, kind, state: state.returning ? 'returning' : 'down', since: state.since, degraded }
      }),
  })
}

export type Outages = Awaited<ReturnType<typeof createOutages>>
