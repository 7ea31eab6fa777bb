/**
 * A directory brought over into our tables. The kind reads; here is what all share: one run at a time over all processes,
 * chunk after chunk with its bookkeeping in one transaction, room for others between chunks, going on after an end in the
 * middle, and what may be concluded about those who were not seen (`sync-gone.ts`).
 *
 * INVARIANT: an error anywhere ends the run, and changes nothing for anybody whom it has not read.
 */
import type { Audit } from '#audit'
import { type Clock, type Millis, stopwatch } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { State } from '#storage'
import type { Changes } from './changes.ts'
import type { Connect } from './federation/linking-mirror.ts'
import type { OpenDirectory, SyncedPerson, SyncReading } from './kind.ts'
import { createMirrorWriter } from './mirror-write.ts'
import { isAdministrators } from './person.ts'
import type { Store } from './store.ts'
import { createGone } from './sync-gone.ts'
import { doubtGroups } from './sync-groups.ts'
import { holdLease } from './sync-lease.ts'
import { createRuns, fullIsDue, mirrored, type Run, type SyncCounts } from './sync-runs.ts'

export interface SyncOptions {
  /** Reads everybody, whatever is known. */
  readonly full?: boolean
  /** Reads and compares, and writes nothing. */
  readonly dryRun?: boolean
  /** Percent of the people we have who may be gone; the directory's setting unless given. */
  readonly mostGone?: number
  /** Ends after the chunk that is being written; the next run goes on. */
  readonly signal?: AbortSignal
  progress?(counts: Readonly<SyncCounts>): void
}

export interface SyncReport extends Readonly<SyncCounts> {
  /** `all`: everybody was read. */
  readonly scope: SyncReading['scope']
  readonly resumed: boolean
  readonly ms: Millis
}

/** What the settings say about syncs of a directory. */
export interface SyncSettings {
  readonly mostGone: number
  readonly fullEvery: Millis
}

export interface Syncs {
  /** Throws `sync-running`, `sync-unsupported`, `sync-doubtful`, `directory-unavailable`, `directory-unknown`. */
  sync(directoryId: string, options: SyncOptions, by: string): Promise<SyncReport>
}

/** What a run that writes nothing has to remember. */
interface Dry {
  readonly seen: Set<string>
  /** Who would be somebody of that directory now: nobody is two of them. */
  readonly matched: Set<string>
}

interface Parts {
  readonly store: Store
  readonly state: State
  readonly directories: readonly OpenDirectory[]
  readonly settings: ReadonlyMap<string, SyncSettings>
  readonly changes: Changes
  readonly connect: Connect
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
}

export function createSync({ store, state, directories, settings, changes, connect, clock, log, audit }: Parts): Syncs {
  const { db } = store
  const writer = createMirrorWriter({ log })
  const runs = createRuns(db, clock)
  const gone = createGone({ db, clock, audit, changes })

  /** One chunk: people, who was seen, the counts and the trail, all or nothing. */
  async function take(directory: OpenDirectory, run: Run, people: readonly SyncedPerson[], by: string): Promise<void> {
    const before = { ...run.counts }
    const off: string[] = []
    for (const person of people) await connect.connect(directory, person)
    await db
      .transaction()
      .execute(async (trx) => {
        const some = await runs.withoutTwins(trx, directory.id, run, people)
        const all = await writer.all(trx, directory, some, { now: clock.now(), write: true })
        const written = all.flatMap((one, i) => (one ? [{ ...some[i]!, ...one }] : []))
        const counted = await runs.counted(
          trx,
          directory.id,
          run,
          written.map(({ id }) => id),
        )
        run.counts.failed += people.length - written.length
        for (const { id, outcome, regrouped, switched } of written) {
          // somebody who is read a second time in a run counts as what the first time made of them
          if (outcome !== 'unchanged' || !counted.has(id)) run.counts[outcome]++
          if (outcome === 'added')
            await audit.record('person-added', { actor: by, subject: id, reason: 'upstream' }, trx)
          else if (regrouped) await audit.record('group-changed', { actor: by, subject: id, reason: 'upstream' }, trx)
          if (!switched) continue
          const event = switched === 'off' ? 'person-disabled' : 'person-enabled'
          await audit.record(event, { actor: by, subject: id, reason: 'upstream' }, trx)
          if (switched === 'off') off.push(id)
        }
        const told = new Set(written.flatMap(({ upstreamId, groups }) => (groups ? [upstreamId] : [])))
        const untold = people.map(({ upstreamId }) => upstreamId).filter((id) => !told.has(id))
        await doubtGroups(trx, directory.id, untold)
        await runs.see(trx, directory.id, run, written)
      })
      .catch((error: unknown) => {
        Object.assign(run.counts, before)
        throw error
      })
    for (const id of off) await changes.tellDisabled(id)
  }

  async function compare(directory: OpenDirectory, run: Run, people: readonly SyncedPerson[], dry: Dry): Promise<void> {
    const all = await writer.all(db, directory, people, { now: clock.now(), write: false })
    for (const [i, one] of all.entries()) {
      const { groups = [], ...person } = people[i]!
      const same = one?.outcome === 'added' ? await connect.match(directory, { ...person, groups }) : undefined
      if (one && (!same || dry.matched.has(same.id))) run.counts[one.outcome]++
      else if (!one) run.counts.failed++
      // of somebody who is at home elsewhere this directory says groups, and nothing else
      else run.counts[groups.some((group) => !isAdministrators(group)) ? 'changed' : 'unchanged']++
      if (same) dry.matched.add(same.id)
    }
  }

  async function read(
    directory: OpenDirectory,
    run: Run,
    reading: SyncReading,
    { by, dry, goOn }: { by: string; dry: Dry | undefined; goOn: () => Promise<void> },
  ): Promise<void> {
    for await (const { people, unusable } of reading.pages) {
      await goOn()
      run.counts.read += people.length + unusable
      run.counts.failed += unusable
      for (const { upstreamId } of people) dry?.seen.add(upstreamId)
      const chunk = distinct(people)
      if (dry) await compare(directory, run, chunk, dry)
      else await take(directory, run, chunk, by)
    }
  }

  async function perform(
    directory: OpenDirectory,
    options: SyncOptions,
    by: string,
    held: () => void,
  ): Promise<SyncReport> {
    const started = stopwatch()
    const { mostGone, fullEvery } = settings.get(directory.id)!
    const last = await runs.last(directory.id)
    const brokenOff = last?.open === 1 && last.scope === 'all'
    const everybody = options.full || brokenOff || fullIsDue(last, clock.now(), fullEvery)
    const most = options.mostGone ?? mostGone
    const began = clock.now()
    const reading = await directory.sync!({
      mark: everybody ? undefined : (last?.mark ?? undefined),
      mirrored: () => mirrored(db, directory.id),
      believeEmpty: most >= 100,
    })
    try {
      const dry: Dry | undefined = options.dryRun ? { seen: new Set(), matched: new Set() } : undefined
      const run = await runs.begin(directory.id, reading.scope, options.dryRun === true)
      const goOn = async () => {
        if (options.signal?.aborted) throw new Refusal('sync-stopped', `directory ${directory.id}`)
        held()
        options.progress?.(run.counts)
        // whoever signs in meanwhile comes first
        await new Promise(setImmediate)
      }
      await read(directory, run, reading, { by, dry, goOn })
      const mark = reading.mark()
      if (run.scope === 'all')
        await gone.conclude({
          directory: directory.id,
          run,
          reading,
          most,
          by,
          goOn,
          found: (person) => (dry ? compare(directory, run, [person], dry) : take(directory, run, [person], by)),
          ...(dry ? { dry } : {}),
        })
      held()
      if (!dry) {
        const vouches = run.scope === 'all' || reading.groupsToo
        await runs.end(directory.id, run, { mark, groupsAt: vouches ? began : undefined })
        await audit.record('directory-synced', { actor: by, reason: said(directory.id, run), count: changesOf(run) })
      }
      return { ...run.counts, scope: run.scope, resumed: run.resumed, ms: stopwatch() - started }
    } finally {
      reading.close()
    }
  }

  return Object.freeze({
    async sync(directoryId: string, options: SyncOptions, by: string) {
      const directory = directories.find(({ id }) => id === directoryId)
      if (!directory) throw new Refusal('directory-unknown', 'directory sync')
      if (!directory.sync) throw new Refusal('sync-unsupported', `directory ${directoryId}`)
      const lease = await holdLease(state, `directory-sync:${directoryId}`)
      if (!lease) throw new Refusal('sync-running', `directory ${directoryId}`)
      try {
        return await perform(directory, options, by, lease.held)
      } catch (error) {
        const reason = error instanceof Refusal ? error.code : 'internal'
        if (!options.dryRun && reason !== 'sync-stopped')
          await audit.record('directory-sync-failed', { actor: by, reason: `${directoryId}/${reason}` })
        throw error
      } finally {
        await lease.release()
      }
    },
  })
}

const changesOf = ({ counts }: Run): number => counts.added + counts.changed + counts.gone

const said = (directory: string, { scope, counts }: Run): string =>
  [directory, scope, ...Object.entries(counts).map(([name, count]) => `${name}=${count}`)].join('/')

/** The last that was said about each, where a page has somebody twice. */
const distinct = (people: readonly SyncedPerson[]): SyncedPerson[] => [
  ...new Map(people.map((person) => [person.upstreamId, person])).values(),
]
