/**
 * The engine's browser session, as a view of ours.
 *
 * `#sessions` is the authority for every protocol. So the browser holds no cookie of the engine's while somebody is
 * signed in: for the length of one request the engine is handed a random handle, and finds under it a session made from
 * ours. When ours ends, nothing is left that could say otherwise, and the engine's session-bound tokens end with it.
 * What the engine needs to remember per app (grant, app-side `sid`) lives beside our session and ends with it.
 * Somebody not signed in has an ordinary engine session, for the little state of sign-out and device pages.
 */
import type { IncomingMessage } from 'node:http'
import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Clock } from '#core/clock'
import { randomId } from '#core/random'
import type { Device, Enrolled, Session, Sessions } from '#sessions'
import type { State } from '#storage'
import { engineSessionKey } from './grant-groups.ts'

/** What is known about the browser behind a request, found once. */
export interface Visitor {
  readonly session: Session | undefined
  readonly device: Device | undefined
  readonly enrolled: Enrolled
  readonly address: string
}

export interface Bridge {
  readonly adapter: Adapter
  /** Shows `visitor` to the engine while `work` runs, instead of whatever engine cookie the browser sent. */
  during(request: IncomingMessage, visitor: Visitor, work: () => Promise<void>): Promise<void>
  /** What the engine remembers of an app that was opened in this session, by this person. */
  openedIn(session: Session, app: string): Promise<Opened | undefined>
  /** An app is opened in this session for the first time. */
  open(session: Session, app: string, opened: Opened): Promise<void>
  /** Undefined where no browser comes along. */
  visitorOf(request: IncomingMessage): Visitor | undefined
  /** Takes the engine's session cookie out of an answer to somebody signed in. */
  withoutHandle(request: IncomingMessage, setCookies: readonly string[]): string[]
}

export interface BridgeOptions {
  readonly state: State
  readonly clock: Clock
  readonly sessions: Sessions
  /** Of the engine's session cookie. */
  readonly cookieName: string
}

/** Its grant, and by which name it knows the session. */
export type Opened = { readonly sid?: string; readonly grantId?: string; readonly persistsLogout?: boolean }

interface Memory {
  /** Whose session it was: what was opened before two people became one was opened as somebody else. */
  person?: string
  authorizations?: Record<string, Opened>
  state?: unknown
}

const textOf = (person: string | undefined, authorizations: Memory['authorizations'] = {}, state: unknown): string =>
  JSON.stringify({
    ...(person === undefined || (Object.keys(authorizations).length === 0 && state === undefined) ? {} : { person }),
    ...(Object.keys(authorizations).length > 0 ? { authorizations } : {}),
    ...(state === undefined ? {} : { state }),
  } satisfies Memory)

export function createBridge({ state, clock, sessions, cookieName }: BridgeOptions): Bridge {
  const visitors = new WeakMap<IncomingMessage, Visitor>()
  /** With what was handed out under the handle, so that nothing is looked up again where nothing has changed. */
  const handles = new Map<string, { readonly session: Session; memory?: string }>()
  const anonymousKey = (id: string) => `engine-anonymous:${id}`

  /** Nothing of somebody else's. */
  function memoryOf(session: Session, stored: string): Omit<Memory, 'person'> {
    const { person = session.personId, ...memory }: Memory = JSON.parse(stored)
    return person === session.personId ? memory : {}
  }

  async function asEngineSession(session: Session, handle: string): Promise<AdapterPayload> {
    const stored = (await state.get(engineSessionKey(session.id))) ?? '{}'
    const held = handles.get(handle)
    if (held) held.memory = stored
    return {
      kind: 'Session',
      jti: handle,
      uid: session.id,
      accountId: session.personId,
      loginTs: Math.floor(session.startedAt / 1000),
      iat: Math.floor(session.startedAt / 1000),
      exp: Math.ceil(Math.min(session.endsAt, session.idleEndsAt) / 1000),
      ...memoryOf(session, stored),
    } as AdapterPayload
  }

  async function rememberAll(payload: AdapterPayload): Promise<void> {
    const held = handles.get(payload.jti!)
    const authorizations = payload.authorizations as Memory['authorizations']
    if (held?.memory === textOf(payload.accountId, authorizations, payload.state)) return
    const session = held?.session ?? (await sessions.byId(payload.uid!))
    if (session?.personId === payload.accountId) await remember(session!, authorizations, () => payload.state)
  }

  /** Adds what is new; another tab may have added its own app in the meantime. */
  async function remember(
    session: Session,
    added: Memory['authorizations'],
    stateAfter: (before: unknown) => unknown,
  ): Promise<void> {
    const { personId } = session
    const key = engineSessionKey(session.id)
    for (;;) {
      const stored = await state.get(key)
      const { person = personId, ...before }: Memory = JSON.parse(stored ?? '{}')
      const same = person === personId
      // the session was given to somebody else while this request was on its way
      if (!same && (await sessions.byId(session.id))?.personId !== personId) return
      const authorizations = { ...(same ? before.authorizations : {}), ...added }
      const text = textOf(personId, authorizations, stateAfter(same ? before.state : undefined))
      if (text === (stored ?? '{}')) return
      const options = { ttl: Math.max(session.endsAt - clock.now(), 1000), group: `with-session:${session.id}` }
      const written =
        stored === undefined
          ? await state.add(key, text, options)
          : await state.compareAndSwap(key, stored, text, options)
      if (!written) continue
      for (const [app, { sid }] of Object.entries(authorizations)) {
        if (sid && !session.apps.some((known) => known.app === app && known.via === undefined))
          await sessions.addApp(session, { app, sid })
      }
      return
    }
  }

  const adapter: Adapter = {
    async upsert(id, payload, expiresIn = 0) {
      if (payload.accountId) await rememberAll(payload)
      else await state.set(anonymousKey(id), JSON.stringify(payload), { ttl: Math.min(expiresIn * 1000, 3_600_000) })
    },
    async find(id) {
      const held = handles.get(id)
      if (held) return asEngineSession(held.session, id)
      const stored = await state.get(anonymousKey(id))
      return stored === undefined ? undefined : JSON.parse(stored)
    },
    /** How the engine asks whether a session-bound token's session still lives. */
    async findByUid(uid) {
      const session = await sessions.byId(uid)
      return session && asEngineSession(session, randomId())
    },
    async findByUserCode() {
      return undefined
    },
    async consume() {},
    async destroy(id) {
      await state.delete(anonymousKey(id))
    },
    async revokeByGrantId() {},
  }

  return {
    adapter,

    async during(request, visitor, work) {
      const handle = visitor.session ? randomId() : undefined
      visitors.set(request, visitor)
      if (handle) {
        // ATTACK: whatever engine session the browser claims, only the one behind our own cookie counts
        const others = (request.headers.cookie ?? '')
          .split(';')
          .filter((part) => !part.trim().startsWith(`${cookieName}=`))
        request.headers.cookie = [...others, ` ${cookieName}=${handle}`].join(';').trim()
        handles.set(handle, { session: visitor.session! })
      }
      try {
        await work()
      } finally {
        if (handle) handles.delete(handle)
      }
    },

    async openedIn(session, app) {
      const stored = await state.get(engineSessionKey(session.id))
      return stored === undefined ? undefined : memoryOf(session, stored).authorizations?.[app]
    },

    open: (session, app, opened) => remember(session, { [app]: opened }, (before) => before),

    visitorOf: (request) => visitors.get(request),

    withoutHandle(request, setCookies) {
      if (!visitors.get(request)?.session) return [...setCookies]
      return setCookies.filter((cookie) => !cookie.startsWith(`${cookieName}=`))
    },
  }
}
