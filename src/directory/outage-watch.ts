/**
 * When a directory is looked at, and what this process goes by since: it judges by what it has seen itself; that one is down
 * is written down, so that a restart neither forgets nor prolongs it.
 *
 *     up → down (two failures of every server) → it answers → returning: everybody is judged again → up
 */
import type { Audit } from '#audit'
import type { Clock, Instant, Millis } from '#core/clock'
import { minutes, seconds } from '#core/clock'
import type { Log } from '#core/log'
import { randomNumber } from '#core/random'
import type { ConfirmedPeople, Declared } from './confirmed.ts'
import type { OpenDirectory } from './kind.ts'
import type { Rejudging } from './rejudging.ts'
import type { Store } from './store.ts'

/** Of a directory that is down, or back and not yet done with. */
export interface OutageState {
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

export interface WatchParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly directories: readonly OpenDirectory[]
  readonly declared: ReadonlyMap<string, Declared>
  readonly confirmed: Pick<ConfirmedPeople, 'purge'>
  readonly rejudging: Rejudging
}

export interface OutageWatch {
  /** Undefined: it is up, or nobody knows yet. */
  stateOf(id: string): OutageState | undefined
  /** Of the directories that have one. */
  ids(): Iterable<string>
  /** From what the directory says of itself to what this process goes by. */
  settle(directory: OpenDirectory): Promise<void>
  /** Asked once, whoever wants to know at the same time. */
  lookAt(directory: OpenDirectory): Promise<void>
  /**
   * Looks at every directory for which it is time, and judges the people of one that is back. To be called several
   * times a second: what is still going on is waited for, and one that hangs holds up no other.
   */
  look(): Promise<void>
}

export async function createOutageWatch(parts: WatchParts): Promise<OutageWatch> {
  const { store, clock, log, audit, directories, declared, confirmed, rejudging } = parts
  const { db } = store
  const states = new Map<string, OutageState>()
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
  function judgedBy(id: string, { since, backAt = since }: OutageState): Instant {
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

  async function finish(directory: OpenDirectory, state: OutageState): Promise<void> {
    const { id } = directory
    const { left, gone } = await (directory.federated
      ? rejudging.expire(directory, clock.now() >= judgedBy(id, state))
      : rejudging.work(directory))
    if (left > 0 || states.get(id) !== state) return settle(directory)
    await db.deleteFrom('directory_outages').where('directory', '=', id).where('back_at', 'is not', null).execute()
    states.delete(id)
    await audit.record('directory-judged-again', { actor: 'system', reason: id, count: gone })
  }

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

  return Object.freeze({
    stateOf: (id: string) => states.get(id),
    ids: () => states.keys(),
    settle,
    lookAt,

    async look(): Promise<void> {
      watching = true
      if (clock.now() >= purgeAt) {
        purgeAt = declared.size > 0 ? clock.now() + PURGE : Number.POSITIVE_INFINITY
        await confirmed.purge()
      }
      const looks = await Promise.allSettled(upstreams.map(lookOnce))
      for (const look of looks) if (look.status === 'rejected') throw look.reason
    },
  })
}
