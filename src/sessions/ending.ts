/** How a session ends, for every reason there is: one mark, then everybody is told, then the record goes. */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import { minutes } from '#core/clock'
import type { Log } from '#core/log'
import { isFull, type State } from '#storage'
import { type Ended, endOf, isAlive, type Row, type Session } from './record.ts'
import { type Shelf, withSession } from './shelf.ts'

/** As a session ends that rests on a password of which its directory, once back, does not say that it is still the one. */
export const DIRECTORY_BACK = 'directory-back'

export interface EndedSession {
  /** The whole last record, with the apps that were opened. */
  readonly session: Session
  readonly reason: string
  /** Every session of the person has ended with it. */
  readonly everywhere?: true
}

export type EndListener = (ended: EndedSession) => Promise<void>

/** A process that put the mark and has not finished after so long is taken for dead. */
const PATIENCE = minutes(1)
const AT_ONCE = 32

/** What the write answers, unless state is full. */
const unlessFull = <T>(write: Promise<T>): Promise<T | 'full'> =>
  write.catch((error) => (isFull(error) ? 'full' : Promise.reject(error)))

/**
 * INVARIANT: a session that got its mark opens nothing any more, and its record goes only after every listener is
 * done. A process that dies in between leaves the marked record behind, and a sweep tells everybody again: listeners
 * hear of each end at least once, and of an undisturbed one exactly once.
 */
export function createEnding({
  state,
  shelf,
  clock,
  log,
  audit,
}: {
  state: State
  shelf: Shelf
  clock: Clock
  log: Log
  audit: Audit
}) {
  const listeners: EndListener[] = []

  async function finish({ session, ended, ...row }: Row, apart = false): Promise<void> {
    try {
      await state.deleteGroup(withSession(session.id))
      const { reason, everywhere } = ended!
      const told = { session, reason, ...(everywhere ? { everywhere } : {}) }
      for (const listener of listeners) await listener(told)
      await audit.record('session-ended', {
        actor: ended!.by,
        subject: session.personId,
        session: session.id,
        reason: ended!.reason,
      })
      if (session.apps.length > 0) await shelf.keepLeft({ session, ended: ended!, ...row })
      await (apart ? shelf.removeApart(session.id) : shelf.remove(session.id))
    } catch (error) {
      // the session itself is over; what is left to do is done by a later sweep
      log.error('session-end-unfinished', { session: session.id }, error)
      // where it is full: it was listed when its end began
      if (!apart) await unlessFull(shelf.lookAt(session.id, clock.now()))
    }
  }

  async function mark(
    id: string,
    how: Pick<Ended, 'reason' | 'by' | 'everywhere'>,
    when: (row: Row) => boolean,
    listed = true,
  ): Promise<boolean> {
    const ended = { ...how, at: clock.now() }
    const marked = listed ? await unlessFull(shelf.markEnded(id, ended, when)) : 'full'
    const apart = marked === 'full'
    const row = apart ? await shelf.markApart(id, ended, when) : marked
    if (row) await finish(row, apart)
    return row !== undefined
  }

  /** What a sweep does with one session of a minute that is over. True when it is over because of this call. */
  async function settle(bucket: number, id: string): Promise<boolean> {
    const now = clock.now()
    const row = await shelf.get(id)
    let over = false
    if (row?.ended) {
      if (now - row.ended.at < PATIENCE) return false
      await finish(row)
      over = true
    } else if (row && isAlive(row, now)) {
      if ((await unlessFull(shelf.lookAt(id, endOf(row.session)))) === 'full') return false
    } else if (row) {
      // somebody may come back in this very moment: the mark is put only on what is still over
      over = await mark(id, { reason: 'expired', by: 'system' }, (last) => !isAlive(last, now))
    }
    // in a minute that is not over the same session may have to be looked at again
    if (!shelf.isIn(bucket, now)) await shelf.settled(bucket, id)
    return over
  }

  /** What a sweep does with ends that were noted while state was full, by processes that died. */
  async function settleApart(): Promise<number> {
    const left = (await shelf.apart()).filter(({ ended }) => clock.now() - ended!.at >= PATIENCE)
    for (const row of left) {
      await shelf.remove(row.session.id)
      await finish(row, true)
    }
    return left.length
  }

  return Object.freeze({
    onEnd(listener: EndListener): void {
      listeners.push(listener)
    },
    /** Ends a session; false when somebody else did before, or it never was. */
    async end(id: string, reason: string, by: string, everywhere = false): Promise<boolean> {
      const row = await shelf.get(id)
      if (!row || row.ended) return false
      // should this process die after the mark, a sweep finds the rest of the work under this minute
      const listed = (await unlessFull(shelf.lookAt(id, clock.now()))) !== 'full'
      return mark(id, { reason, by, ...(everywhere ? { everywhere } : {}) }, () => true, listed)
    },
    /** Ends what the clock has ended, and goes on with what was left. Answers how many that were. */
    async sweep(): Promise<number> {
      let count = await settleApart()
      for await (const { bucket, ids } of shelf.due()) {
        for (let from = 0; from < ids.length; from += AT_ONCE) {
          const some = ids.slice(from, from + AT_ONCE)
          const over = await Promise.all(some.map((id) => settle(bucket, id)))
          count += over.filter(Boolean).length
        }
      }
      return count
    },
  })
}
