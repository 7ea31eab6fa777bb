/** The sessions of all protocols: found by cookie, raised, shortened, listed, ended. */
import type { Audit } from '#audit'
import { type Clock, type Instant, type Millis, minutes } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Soon, Storage } from '#storage'
import { createEnding, type EndedSession, type EndListener } from './ending.ts'
import type { Enrolled } from './enrolled.ts'
import { mint, newId, opens, readHandle } from './handle.ts'
import {
  at,
  endOf,
  isAlive,
  isAt,
  type Limits,
  limited,
  newestProofs,
  type Place,
  type Proof,
  placed,
  type Row,
  type Session,
  type SessionApp,
  seen,
} from './record.ts'
import { createShelf, keyOf, LEFT } from './shelf.ts'

export interface SessionsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  /** Where no policy says anything else. */
  readonly defaults: { readonly idle: Millis; readonly max: Millis }
  /** Two gateways on one host name (localhost) need two names: browsers do not tell ports apart. */
  readonly cookieName?: string
}

export interface NewSession {
  readonly personId: string
  readonly proofs: readonly Proof[]
  readonly deviceId?: string | undefined
  readonly enrolled?: Enrolled
  readonly address: string
  readonly userAgent?: string | undefined
  readonly limits?: Limits | undefined
}

export interface OpenedSession {
  readonly session: Session
  /** The new value for the browser; no earlier one opens the session any more. */
  readonly cookie: string
}

/** A session that has ended, as the browser in which it was can ask for it. */
export interface LeftSession extends EndedSession {
  readonly at: Instant
}

export interface Sessions {
  readonly cookieName: string
  /**
   * The living session that this cookie value opens. One read; a value that cannot be ours costs none. Undefined for
   * anything else: unknown, ended, expired, wrong secret.
   */
  find(cookie: string | undefined): Promise<Session | undefined>
  /**
   * The session that this cookie value opened until it ended, with its apps: for a day after its end, and undefined while it
   * lives. INVARIANT: nothing but the secret that opened it finds it.
   */
  left(cookie: string | undefined): Promise<LeftSession | undefined>
  /** Always a new id and a new secret, whatever the browser carried before (session fixation). */
  start(about: NewSession): Promise<OpenedSession>
  /**
   * Adds proofs and rotates the secret: the cookie from before is dead when this resolves. Of two at the same time both
   * keep their proofs and the later one's cookie counts. @throws Refusal `session-unknown` when it is over
   */
  raise(session: Session, proofs: readonly Proof[], limits?: Limits): Promise<OpenedSession>
  /** Shortens, never prolongs. @throws Refusal `session-unknown` when it is over already */
  limit(session: Session, limits: Limits): Promise<Session>
  /**
   * Says that the person did something, and where. Writes at most once a minute (a quarter of a shorter idle time), and
   * when the place is another one: nothing to wait for otherwise.
   */
  touch(session: Session, place?: Place): Soon<void>
  /** Notes that an app was opened, so that it hears of the end. Writes only what is new. */
  addApp(session: Session, app: SessionApp): Promise<Session>
  byId(id: string): Promise<Session | undefined>
  /** The same as of the beginning of the request (`Kept`): the same object until somebody writes it. */
  recall(id: string): Soon<Session | undefined>
  /** The living ones, last seen first. */
  ofPerson(personId: string): Promise<Session[]>
  /** Every living session there is, person by person. */
  all(): AsyncGenerator<Session>
  /**
   * Ends a session, deletes the state group `with-session:<id>` and tells the listeners before it resolves. Of any
   * number of callers exactly one is answered true. `reason` is kebab-case, `by` a person's id, `cli` or `system`.
   */
  end(id: string, reason: string, by: string): Promise<boolean>
  /** Ends all of a person but `exceptId`; answers how many. Without `exceptId` apps hear that all have ended. */
  endAll(personId: string, reason: string, by: string, exceptId?: string): Promise<number>
  /** Ends all that were ever on this enrolled device, whoever they belong to; answers how many. */
  endOn(enrolledId: string, reason: string, by: string): Promise<number>
  /**
   * One person becomes another: every living session of `from` is `into`'s, by the same cookie, with the same proofs. What
   * was opened with it was opened as somebody else: `leaving` ends that first. Answers how many; calling it again is safe.
   */
  move(from: string, into: string, leaving: (session: Session) => Promise<void>): Promise<number>
  /** Ends what merely expired, so that apps hear of that as well. To be called a few times a minute by every process. */
  sweep(): Promise<number>
  /** Called once an end is certain, awaited. After a crash in between it is called again: listeners must bear that. */
  onEnd(listener: EndListener): void
}

const TOUCH = minutes(1)
const LONGEST_USER_AGENT = 256

export function openSessions({ storage, clock, log, audit, defaults, cookieName }: SessionsOptions): Sessions {
  const { state, durable } = storage
  const shelf = createShelf({ state, durable, clock })
  const ending = createEnding({ state, shelf, clock, log, audit })
  const alive = (row: Row | undefined): Session | undefined =>
    row && isAlive(row, clock.now()) ? row.session : undefined

  const ofPerson = async (personId: string): Promise<Session[]> => {
    const now = clock.now()
    const rows = (await shelf.ofPerson(personId)).filter((row) => isAlive(row, now))
    return rows.map((row) => row.session).sort((a, b) => b.lastSeenAt - a.lastSeenAt)
  }

  async function endEach(ids: readonly string[], reason: string, by: string, everywhere = false): Promise<number> {
    const ended = await Promise.all(ids.map((id) => ending.end(id, reason, by, everywhere)))
    return ended.filter(Boolean).length
  }

  return Object.freeze({
    cookieName: cookieName ?? 'portico-session',
    onEnd: ending.onEnd,
    end: ending.end,
    sweep: ending.sweep,
    ofPerson,

    async find(cookie: string | undefined) {
      const handle = readHandle(cookie)
      if (!handle) return undefined
      const row = await shelf.get(handle.id)
      return row && opens(handle, row.secretHash) ? alive(row) : undefined
    },

    async left(cookie: string | undefined) {
      const handle = readHandle(cookie)
      if (!handle) return undefined
      const row = (await shelf.get(handle.id)) ?? (await shelf.left(handle.id))
      if (!row || !opens(handle, row.secretHash) || isAlive(row, clock.now())) return undefined
      const { reason = 'expired', at: when = endOf(row.session), everywhere } = row.ended ?? {}
      if (clock.now() - when > LEFT) return undefined
      return { session: row.session, reason, at: when, ...(everywhere ? { everywhere } : {}) }
    },

    async start(about: NewSession) {
      const now = clock.now()
      const id = newId()
      const { cookie, secretHash } = mint(id)
      const idle = Math.min(about.limits?.idle ?? defaults.idle, about.limits?.max ?? defaults.max)
      const endsAt = now + (about.limits?.max ?? defaults.max)
      const { personId, deviceId, enrolled, address } = about
      const began = {
        id,
        personId,
        startedAt: now,
        lastSeenAt: now,
        idleEndsAt: Math.min(now + idle, endsAt),
        endsAt,
        authenticated: newestProofs([], about.proofs),
      }
      const session: Session = {
        ...placed(began, { deviceId, enrolled, address }),
        ...(about.userAgent === undefined ? {} : { userAgent: about.userAgent.slice(0, LONGEST_USER_AGENT) }),
        apps: [],
      }
      await Promise.all([
        shelf.put({ session, secretHash, idle }),
        audit.record('session-started', {
          actor: about.personId,
          subject: about.personId,
          session: id,
          ...(enrolled ? { device: enrolled.id } : {}),
        }),
      ])
      return { session, cookie }
    },

    async raise(session: Session, proofs: readonly Proof[], limits: Limits = {}) {
      const { cookie, secretHash } = mint(session.id)
      const row = await shelf.change(session.id, (last) => {
        const active = seen(last, clock.now())
        const authenticated = newestProofs(last.session.authenticated, proofs)
        const raised = { ...active, secretHash, session: { ...active.session, authenticated } }
        return limited(raised, limits) ?? raised
      })
      if (!row) throw new Refusal('session-unknown', 'raised after its end')
      await audit.record('session-raised', { actor: session.personId, subject: session.personId, session: session.id })
      return { session: row.session, cookie }
    },

    async limit(session: Session, limits: Limits) {
      // each silent sign-on asks: where the session in hand tells its idle length and keeps the limits, nothing is read
      const idle = session.idleEndsAt - session.lastSeenAt
      if (session.idleEndsAt < session.endsAt && !limited({ session, secretHash: '', idle }, limits)) return session
      const row = await shelf.change(session.id, (last) => limited(last, limits))
      if (!row) throw new Refusal('session-unknown', 'limited after its end')
      return row.session
    },

    touch(session: Session, place?: Place) {
      const moved = (of: Session) => place !== undefined && !isAt(of, place)
      const due = (of: Session, idle: Millis) => moved(of) || clock.now() - of.lastSeenAt >= Math.min(TOUCH, idle / 4)
      if (!due(session, session.idleEndsAt - session.lastSeenAt)) return
      const changed = shelf.change(session.id, (last) => {
        if (!due(last.session, last.idle)) return undefined
        const active = seen(last, clock.now())
        return place ? at(active, place) : active
      })
      return changed.then(() => undefined)
    },

    async addApp(session: Session, app: SessionApp) {
      const has = (apps: readonly SessionApp[]) =>
        apps.some((known) => known.app === app.app && known.sid === app.sid && known.via === app.via)
      if (has(session.apps)) return session
      const row = await shelf.change(session.id, (last) => {
        const { apps } = last.session
        return has(apps) ? undefined : { ...last, session: { ...last.session, apps: [...apps, app] } }
      })
      // INVARIANT: nothing is given to an app that could not be told of the end any more
      if (!row) throw new Refusal('session-unknown', 'app opened after its end')
      return row.session
    },

    byId: async (id: string) => alive(await shelf.get(id)),
    recall(id: string) {
      const key = keyOf(id)
      const row = shelf.kept.known(key)
      return row ? alive(row) : shelf.kept.of(key).then(alive)
    },

    async *all() {
      for (const personId of await shelf.people()) yield* await ofPerson(personId)
    },

    async endAll(personId: string, reason: string, by: string, exceptId?: string) {
      const ids = (await shelf.ofPerson(personId)).map((row) => row.session.id).filter((id) => id !== exceptId)
      return endEach(ids, reason, by, exceptId === undefined)
    },

    async move(from: string, into: string, leaving: (session: Session) => Promise<void>) {
      let moved = 0
      for (const { session } of await shelf.ofPerson(from)) if (await shelf.give(session.id, into, leaving)) moved++
      return moved
    },

    endOn: async (enrolledId: string, reason: string, by: string) => endEach(await shelf.on(enrolledId), reason, by),
  })
}
