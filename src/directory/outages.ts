/**
 * Which directories cannot be asked, since when, and what holds for their people meanwhile. This process judges by what
 * it has seen itself; that a directory is down is written down, so that a restart neither forgets nor prolongs it.
 *
 *     up → down (two failures of every server) → it answers → returning: everybody is judged again → up
 */
import type { Audit } from '#audit'
import type { Clock, Instant, Millis } from '#core/clock'
import { minutes, seconds } from '#core/clock'
import type { Log } from '#core/log'
import { randomNumber } from '#core/random'
import type { ConfirmedPeople, Declared, SeenDevice } from './confirmed.ts'
import { fits } from './confirmed.ts'
import type { OpenDirectory } from './kind.ts'
import type { Person } from './person.ts'
import type { Rejudging } from './rejudging.ts'
import type { Store } from './store.ts'

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

interface State {
  readonly since: Instant
  readonly returning: boolean
  /** When it came back, where it has. */
  readonly backAt?: Instant
  /** It stands in the database. */
  readonly written: boolean
}

/** A directory that is down is looked at about so often, one that answers so often where its settings declare something. */
const LOOK: Millis = seconds(1)
const LOOK_UP: Millis = seconds(10)
/** A provider is somebody else's: it is asked the less the longer it is down, up to this, and seldom while it answers. */
const LOOK_PROVIDER: Millis = seconds(10)
const LOOK_PROVIDER_UP: Millis = minutes(1)
const PURGE: Millis = minutes(1)

export interface OutagesParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly directories: readonly OpenDirectory[]
  readonly declared: ReadonlyMap<string, Declared>
  readonly confirmed: ConfirmedPeople
  readonly rejudging: Rejudging
}

export async function createOutages(parts: OutagesParts) {
  const { store, clock, log, audit, directories, declared, confirmed, rejudging } = parts
  const { db } = store
  const states = new Map<string, State>()
  const due = new Map<string, Instant>()
  const looking = new Map<string, Promise<void>>()
  const busy = new Map<string, Promise<void>>()
  const returning = new Set<string>()
  const upstreams = directories.filter((one) => one.look)
  let purgeAt = 0
  /** Somebody calls `look`: this is a server. A command that meets an outage leaves nothing behind for others. */
  let watching = false
  for (const row of await db.selectFrom('directory_outages').selectAll().execute())
    states.set(row.directory, {
      since: Number(row.since),
      written: true,
      ...(row.back_at === null ? { returning: false } : { returning: true, backAt: Number(row.back_at) }),
    })

  async function write(directory: string, since: Instant, backAt: Instant | null): Promise<void> {
    await db
      .insertInto('directory_outages')
      .values({ directory, since, back_at: backAt })
      .onConflict((c) => c.column('directory').doUpdateSet({ back_at: backAt }))
      .execute()
  }

  /** From what the directory says of itself to what this process goes by. */
  async function settle(directory: OpenDirectory): Promise<void> {
    const { id } = directory
    const health = directory.health!()
    const state = states.get(id)
    if (health.state === 'down' && (!state || state.returning || (watching && !state.written))) {
      // one that goes away again before everybody was judged has not been back: nobody gains time by it
      const since = state?.since ?? health.since
      states.set(id, { since, returning: false, written: watching })
      due.set(id, Math.min(due.get(id) ?? 0, clock.now() + LOOK / 2))
      if (!watching) return
      await write(id, since, null)
      log.warn('directory-down', { directory: id, code: health.code })
      await audit.record('directory-down', { actor: 'system', reason: id })
    } else if (watching && health.state === 'up' && state && !state.returning && !returning.has(id)) {
      returning.add(id)
      try {
        // INVARIANT: who is to be judged is written down before anybody counts as judged
        const count = await rejudging.list(directory)
        const backAt = clock.now()
        await write(id, state.since, backAt)
        states.set(id, { since: state.since, returning: true, backAt, written: true })
        await audit.record('directory-up', { actor: 'system', reason: id, count })
      } finally {
        returning.delete(id)
      }
    }
  }

  /**
   * Until when people of a provider that is back have to have signed in there.
   * INVARIANT: one that goes away again and again prolongs nothing beyond what was declared from the beginning.
   */
  function judgedBy(id: string, { since, backAt = since }: State): Instant {
    const rules = declared.get(id)
    return rules ? Math.min(backAt, since + rules.for) + rules.askAgain : backAt
  }

  /** How long until a directory is looked at again. */
  function pause({ id, federated }: OpenDirectory, answered: boolean): Millis {
    if (!federated) return answered ? LOOK_UP : LOOK
    if (answered) return declared.has(id) ? LOOK_UP : LOOK_PROVIDER_UP
    const down = clock.now() - (states.get(id)?.since ?? clock.now())
    return Math.min(Math.max(LOOK, down / 10), LOOK_PROVIDER)
  }

  async function finish(directory: OpenDirectory, state: State): Promise<void> {
    const { id } = directory
    const { left, gone } = await (directory.federated
      ? rejudging.expire(directory, clock.now() >= judgedBy(id, state))
      : rejudging.work(directory))
    if (left > 0 || states.get(id) !== state) return settle(directory)
    await db.deleteFrom('directory_outages').where('directory', '=', id).where('back_at', 'is not', null).execute()
    states.delete(id)
    await audit.record('directory-judged-again', { actor: 'system', reason: id, count: gone })
  }

  /** Asked once, whoever wants to know at the same time. */
  async function lookAt(directory: OpenDirectory): Promise<void> {
    const { id } = directory
    let look = looking.get(id)
    if (!look) {
      look = directory.look!().then((answered) => {
        // spread, so that many processes do not ask in the same moment
        due.set(id, clock.now() + pause(directory, answered) * (0.4 + (randomNumber() % 512) / 1024))
        return settle(directory)
      })
      looking.set(id, look)
      const over = () => void looking.delete(id)
      look.then(over, over)
    }
    await look
  }

  async function lookIfDue(directory: OpenDirectory): Promise<void> {
    const { id, federated } = directory
    const health = directory.health!()
    if (!federated && health.state === 'up' && !states.has(id) && !declared.has(id)) return
    // what has just failed is asked again soon: only then it is known whether it is down
    if ('doubted' in health && (due.get(id) ?? 0) > clock.now() + 2 * LOOK) due.set(id, clock.now() + LOOK / 2)
    if (clock.now() < (due.get(id) ?? 0)) return
    await lookAt(directory)
    const state = states.get(id)
    if (!state?.returning) return
    await finish(directory, state)
    // somebody is left: tried again soon
    if (states.has(id)) due.set(id, clock.now() + LOOK / 2)
  }

  function lookOnce(directory: OpenDirectory): Promise<void> {
    let look = busy.get(directory.id)
    if (!look) {
      look = lookIfDue(directory)
      busy.set(directory.id, look)
      const over = () => void busy.delete(directory.id)
      look.then(over, over)
    }
    return look
  }

  /** The time after which nothing is open for somebody whom the directory confirmed then. */
  const untilOf = (since: Instant, rules: Declared, confirmedAt: Instant | null | undefined): Instant =>
    confirmedAt == null ? since : Math.min(since + rules.for, Number(confirmedAt) + rules.verifiedWithin)

  const isProvider = (id: string) => directories.some((one) => one.id === id && one.federated !== undefined)

  const outageAt = (id: string): { since: Instant; rules: Declared } | undefined => {
    const state = states.get(id)
    const rules = declared.get(id)
    return state && !state.returning && rules ? { since: state.since, rules } : undefined
  }

  return Object.freeze({
    /** It is known not to answer, and its settings declare what holds: nobody need wait for it. */
    isDown: (id: string): boolean => outageAt(id) !== undefined,

    /** It is known not to answer, whatever is declared. */
    isSilent(id: string): boolean {
      const state = states.get(id)
      if (state) return !state.returning
      return directories.find((one) => one.id === id)?.health?.().state === 'down'
    },

    /**
     * Whether what this person gives now is given without a word of their own provider, which only they can ask: then it
     * opens what is declared, and they have to ask it when it is back. No read while it answers.
     */
    async isUnasked({ id, directory }: Pick<Person, 'id' | 'directory'>): Promise<boolean> {
      const state = states.get(directory)
      if (!state || !declared.has(directory) || !isProvider(directory)) return false
      return !state.returning || (await rejudging.isListed(id))
    },

    /** A provider has just vouched for one of its people, who has signed in there. */
    async vouched(id: string, directory: string): Promise<void> {
      await confirmed.vouched(id, directory)
      if (states.has(directory)) await rejudging.vouched(id, directory)
    },

    /** Something has failed: looks at once whether the directory is down, where that makes a difference. */
    async suspect(directory: OpenDirectory): Promise<boolean> {
      if (!directory.look) return false
      if (!declared.has(directory.id)) await settle(directory)
      else if (outageAt(directory.id) === undefined) await lookAt(directory)
      return outageAt(directory.id) !== undefined
    },

    /** Whether sign-ins on such a device are declared for any directory that is down now. */
    takes(device: SeenDevice): boolean {
      const now = clock.now()
      return [...states.keys()].some((id) => {
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
      const state = states.get(person.directory)
      if (!state) return { person }
      const directory = upstreams.find(({ id }) => id === person.directory)
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

    /**
     * Looks at every directory for which it is time, and judges the people of one that is back. To be called several
     * times a second: what is still going on is waited for, and one that hangs holds up no other.
     */
    async look(): Promise<void> {
      watching = true
      if (clock.now() >= purgeAt) {
        purgeAt = declared.size > 0 ? clock.now() + PURGE : Number.POSITIVE_INFINITY
        await confirmed.purge()
      }
      const looks = await Promise.allSettled(upstreams.map(lookOnce))
      for (const look of looks) if (look.status === 'rejected') throw look.reason
    },

    states: (): readonly DirectoryState[] =>
      directories.map((directory) => {
        const { id, kind } = directory
        const state = states.get(id)
        const health = directory.health?.().state ?? (directory.local ? 'up' : 'unknown')
        const degraded = declared.has(id)
        if (!state) return { id, kind, state: health, degraded }
        return { id, kind, state: state.returning ? 'returning' : 'down', since: state.since, degraded }
      }),
  })
}

export type Outages = Awaited<ReturnType<typeof createOutages>>
