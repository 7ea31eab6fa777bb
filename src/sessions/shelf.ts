/**
 * Where sessions lie in short-lived state, and the one way to change one. A Redis that is full takes no mark of an end, but lets
 * go of what it has: then the mark is kept beside the records, and the session goes at once.
 */
import type { Clock, Instant, Millis } from '#core/clock'
import { days, minutes } from '#core/clock'
import { isFull, type State, type StateOptions, settled } from '#storage'
import { endOf, isAlive, parseRow, type Row } from './record.ts'

/**
 * How long a row outlives its session. The clock says that a session is over, not the row's absence: a row that is
 * still there lets the sweep tell the apps, even after the house was closed for some days.
 */
export const GRACE: Millis = days(7)
/** How long a person without sessions stays in the list of people who had one. */
const LISTED: Millis = days(400)

/** How long a browser that comes back can be told what its ended session has to say to apps. */
export const LEFT: Millis = days(1)

const PEOPLE = 'sessions-people'
const SWEPT = 'sessions-swept'
const BUCKET = minutes(1)
/** Buckets are read again for so long, because another process may fill one late or by a clock that is behind. */
const OVERLAP = 10

export const keyOf = (id: string): string => `session:${id}`
const apartKey = (id: string): string => `session-ending:${id}`
const APART = 'session-endings'
const leftKey = (id: string): string => `session-left:${id}`
export const groupOf = (personId: string): string => `sessions-of:${personId}`
const onDevice = (deviceId: string): string => `sessions-on:${deviceId}`
/** Whatever is stored in this group goes when the session ends. */
export const withSession = (id: string): string => `with-session:${id}`

const bucketAt = (at: Instant): number => Math.floor(at / BUCKET)
const bucketName = (bucket: number): string => `session-ends:${bucket}`

export function createShelf({ state, durable, clock }: { state: State; durable: State; clock: Clock }) {
  const options = (row: Row): StateOptions => ({
    ttl: Math.max(endOf(row.session) - clock.now(), 0) + GRACE,
    group: groupOf(row.session.personId),
  })
  const kept = state.keep((text) => parseRow(text))
  /** A sweep has found the mark: it is there for good. */
  let swept = false

  /** Notes that somebody must look at this session when the minute of `at` is over. */
  async function lookAt(id: string, at: Instant): Promise<void> {
    await state.addMember(bucketName(bucketAt(at)), id, Math.max(at - clock.now(), 0) + GRACE)
  }

  /**
   * ATTACK: whoever holds a stolen tablet can take its cookie out of the browser and keep the session. So each enrolled
   * device that a session was ever on is kept, until the session is over.
   */
  async function noteDevice({ session: { id, enrolledId, endsAt } }: Row, before?: Row): Promise<void> {
    if (typeof enrolledId !== 'string' || enrolledId === before?.session.enrolledId) return
    await state.addMember(onDevice(enrolledId), id, Math.max(endsAt - clock.now(), 0) + GRACE)
  }

  return Object.freeze({
    lookAt,
    async put(row: Row): Promise<void> {
      const { id, personId } = row.session
      await noteDevice(row)
      await state.set(keyOf(id), JSON.stringify(row), options(row))
      await lookAt(id, endOf(row.session))
      await state.addMember(PEOPLE, personId, LISTED)
      // without a mark nothing was ever started here and the sweep has nothing to do
      if (!swept) await state.add(SWEPT, String(bucketAt(clock.now())))
    },
    async get(id: string): Promise<Row | undefined> {
      const text = await state.get(keyOf(id))
      return text === undefined ? undefined : parseRow(text)
    },
    kept,
    /**
     * Changes a living session by compare-and-swap, again and again until nobody was in between. `change` answers
     * undefined where nothing is to be written. Answers the row as it then is; undefined when the session is over.
     */
    async change(id: string, change: (row: Row) => Row | undefined): Promise<Row | undefined> {
      for (;;) {
        const text = await state.get(keyOf(id))
        const row = text === undefined ? undefined : parseRow(text)
        if (!row || !isAlive(row, clock.now())) return undefined
        const next = change(row)
        if (!next) return row
        // before the swap: a look too many costs nothing, a look too few leaves apps signed in
        if (endOf(next.session) < endOf(row.session)) await lookAt(id, endOf(next.session))
        await noteDevice(next, row)
        if (await state.compareAndSwap(keyOf(id), text!, JSON.stringify(next), options(next))) return next
      }
    },
    /**
     * Gives a living session to somebody else, by compare-and-swap. `before` is awaited with what it then is, again where
     * somebody was in between. The apps that were opened with it are not opened with it any more.
     */
    async give(id: string, personId: string, before: (session: Row['session']) => Promise<void>): Promise<boolean> {
      for (;;) {
        const text = await state.get(keyOf(id))
        const row = text === undefined ? undefined : parseRow(text)
        if (!row || !isAlive(row, clock.now()) || row.session.personId === personId) return false
        await before(row.session)
        const next = { ...row, session: { ...row.session, personId, apps: [] } }
        await state.addMember(PEOPLE, personId, LISTED)
        if (await state.compareAndSwap(keyOf(id), text!, JSON.stringify(next), options(next))) return true
      }
    },
    /** Puts the mark of its end on a session that has none: the row for exactly one of all callers. */
    async markEnded(
      id: string,
      ended: NonNullable<Row['ended']>,
      when: (row: Row) => boolean,
    ): Promise<Row | undefined> {
      for (;;) {
        const text = await state.get(keyOf(id))
        const row = text === undefined ? undefined : parseRow(text)
        if (!row || row.ended || !when(row)) return undefined
        const next = { ...row, ended }
        if (await state.compareAndSwap(keyOf(id), text!, JSON.stringify(next))) return next
      }
    },
    /**
     * The same where state is full: the row for exactly one of all callers. It is nowhere in state any more.
     *
     * INVARIANT: the mark is there for good before the session goes, so that a process which dies in between leaves it behind.
     */
    async markApart(
      id: string,
      ended: NonNullable<Row['ended']>,
      when: (row: Row) => boolean,
    ): Promise<Row | undefined> {
      const text = await state.get(keyOf(id))
      const row = text === undefined ? undefined : parseRow(text)
      if (!row || row.ended || !when(row)) return undefined
      const noted = JSON.stringify({ ...row, ended })
      const own = await durable.add(apartKey(id), noted, { ttl: GRACE, group: APART })
      await settled()
      const taken = await state.take(keyOf(id))
      const last = taken === undefined ? undefined : parseRow(taken)
      // whoever took it tells everybody; whoever had put a mark into it may have died, and then a sweep does
      if (!last || last.ended) {
        if (own && !last) await durable.delete(apartKey(id))
        return undefined
      }
      // that of a process that has died, or is about to find nothing
      if (!own) await durable.set(apartKey(id), noted, { ttl: GRACE, group: APART })
      return { ...last, ended }
    },
    /** Ends that were noted beside the records and are not finished. */
    async apart(): Promise<Row[]> {
      if (durable === state) return []
      const rows = (await durable.group(APART)).map(({ value }) => parseRow(value))
      return rows.filter((row) => row !== undefined)
    },
    async removeApart(id: string): Promise<void> {
      await state.delete(keyOf(id))
      await durable.delete(apartKey(id))
    },
    async remove(id: string): Promise<void> {
      await state.delete(keyOf(id))
    },
    /** Keeps of an ended session what its browser has to know: which apps, and by which secret it is recognised. */
    async keepLeft({ session, ...row }: Row): Promise<void> {
      const { userAgent: _browser, ...known } = session
      const left = { ...row, session: { ...known, authenticated: [], address: '' } }
      const keep = (where: State) => where.set(leftKey(session.id), JSON.stringify(left), { ttl: LEFT })
      await keep(state).catch((error) => (isFull(error) ? keep(durable) : Promise.reject(error)))
    },
    async left(id: string): Promise<Row | undefined> {
      const text = (await state.get(leftKey(id))) ?? (durable === state ? undefined : await durable.get(leftKey(id)))
      return text === undefined ? undefined : parseRow(text)
    },
    async ofPerson(personId: string): Promise<Row[]> {
      const rows = (await state.group(groupOf(personId))).map((entry) => parseRow(entry.value))
      return rows.filter((row) => row !== undefined)
    },
    on: (deviceId: string): Promise<string[]> => state.members(onDevice(deviceId)),
    people: (): Promise<string[]> => state.members(PEOPLE),

    /**
     * The sessions whose minute has come, minute by minute; of the current one some are not over yet. The place reached is
     * kept in state; a clock that ran ahead and came back is followed back.
     */
    async *due(): AsyncGenerator<{ bucket: number; ids: string[] }> {
      const mark = await state.get(SWEPT)
      if (mark === undefined) return
      swept = true
      const current = bucketAt(clock.now())
      for (let bucket = Math.min(Number(mark), current) - OVERLAP; bucket <= current; bucket++) {
        const ids = await state.members(bucketName(bucket))
        if (ids.length > 0) yield { bucket, ids }
      }
      // minutes that are looked at twice cost nothing
      if (mark !== String(current))
        await state.set(SWEPT, String(current)).catch((error) => (isFull(error) ? undefined : Promise.reject(error)))
    },
    /** Whether a sweep comes by at this moment when it reads that minute again. */
    isIn: (bucket: number, at: Instant): boolean => bucketAt(at) === bucket,
    async settled(bucket: number, id: string): Promise<void> {
      await state.removeMember(bucketName(bucket), id)
    },
  })
}

export type Shelf = ReturnType<typeof createShelf>
