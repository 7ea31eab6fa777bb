/**
 * Who is gone from a directory. Only asked after a run that read everybody and came to its end; then each of those whom it
 * did not see is asked for by what the directory calls them for ever, and only a certain "nobody" counts.
 */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Changes } from './changes.ts'
import type { SyncedPerson, SyncReading } from './kind.ts'
import { rewriteGroups } from './memberships.ts'
import type { Database } from './store.ts'
import { type Known, knownIn, type Run } from './sync-runs.ts'

interface Parts {
  readonly db: Database
  readonly clock: Clock
  readonly audit: Audit
  readonly changes: Pick<Changes, 'tellDisabled'>
}

export interface Conclusion {
  readonly directory: string
  readonly run: Run
  readonly reading: Pick<SyncReading, 'ask'>
  /** The most that may be gone, in percent of those we have. */
  readonly most: number
  readonly by: string
  /** Judges and writes nothing; `seen` then tells what the tables cannot. */
  readonly dry?: { readonly seen: ReadonlySet<string> }
  /** Somebody who was not in any page, and is there: to be mirrored like all others. */
  found(person: SyncedPerson): Promise<void>
  /** Called between people: throws where the run has to stop. */
  goOn(): Promise<void>
}

/** So few may always be gone: in a small directory one person is many percent. */
const ALWAYS = 2

export function createGone({ db, clock, audit, changes }: Parts) {
  const isMissing = ({ run, dry }: Conclusion, { upstreamId, seen }: Known): boolean =>
    dry ? !dry.seen.has(upstreamId) : seen === null || seen < run.run

  /** ATTACK, and everyday: an answer that is empty or much too short is the fault of a server or of a right that is missing. */
  async function refuseTooMany(one: Conclusion): Promise<number> {
    let all = 0
    let gone = 0
    for await (const page of knownIn(db, one.directory)) {
      all += page.length
      gone += page.filter((known) => isMissing(one, known)).length
    }
    if (one.most >= 100) return gone
    const seenNobody = one.run.counts.read === 0 && all > 0
    if (seenNobody || gone > Math.max(ALWAYS, Math.floor((all * one.most) / 100)))
      throw new Refusal(
        'sync-doubtful',
        `directory ${one.directory}: ${gone} of ${all} people were not in its answer, and ${one.most} % may be missing; nobody was switched off. Where this is right: --most-gone 100`,
      )
    return gone
  }

  /** A directory that may be read but not searched by id would answer "nobody" for everybody. */
  async function refuseBlind(one: Conclusion): Promise<void> {
    for await (const page of knownIn(db, one.directory)) {
      const there = page.find((known) => !isMissing(one, known))
      if (!there) continue
      if (await one.reading.ask(there.upstreamId)) return
      throw new Refusal(
        'sync-doubtful',
        `directory ${one.directory}: somebody who is there is not found by \`attributes.id\`; the service account needs the right to search by it`,
      )
    }
  }

  async function mark({ id, home }: Known, { directory, by }: Conclusion): Promise<void> {
    await db.transaction().execute(async (trx) => {
      const now = clock.now()
      const fields = { actor: by, subject: id, reason: 'upstream' }
      if (home) {
        await trx.updateTable('people').set({ gone_at: now, changed_at: now }).where('id', '=', id).execute()
        await audit.record('person-gone', fields, trx)
      } else {
        // at home elsewhere, where they stay: only what this directory said of them ends
        await trx.deleteFrom('memberships').where('person_id', '=', id).where('source', '=', directory).execute()
        await rewriteGroups(trx, id, now)
        await audit.record('group-changed', fields, trx)
      }
    })
    // the row first: whoever asks while this goes on is refused already
    if (home) await changes.tellDisabled(id)
  }

  return Object.freeze({
    /** How many are gone. Throws `sync-doubtful`, `directory-unavailable`; then nobody more is marked. */
    async conclude(one: Conclusion): Promise<void> {
      if (!one.dry) await tellAgain(one)
      if ((await refuseTooMany(one)) === 0) return
      await refuseBlind(one)
      for await (const page of knownIn(db, one.directory))
        for (const person of page.filter((known) => isMissing(one, known))) {
          await one.goOn()
          const there = await one.reading.ask(person.upstreamId)
          // whoever cannot be read is there all the same: what is known of them stays
          if (there === 'unusable') continue
          if (there) await one.found(there)
          else {
            if (!one.dry) await mark(person, one)
            one.run.counts.gone++
          }
        }
    },
  })

  /** Whom a run marked that was ended in the next instant: their sessions may be left. */
  async function tellAgain({ directory, run }: Conclusion): Promise<void> {
    if (!run.resumed) return
    const rows = await db
      .selectFrom('people')
      .select('id')
      .where('directory', '=', directory)
      .where('gone_at', '>=', run.beganAt)
      .execute()
    for (const { id } of rows) await changes.tellDisabled(id)
  }
}
