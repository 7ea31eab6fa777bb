/** Who hears of a session's end, and how: what the protocols say about each app, and what has come of it. */
import type { State } from '#storage'
import type { EndedSession } from './ending.ts'
import type { LogoutRow, Outbox } from './outbox.ts'
import type { Session, SessionApp } from './record.ts'
import type { Sessions } from './registry.ts'
import { noteOutcome, type Outcome, outcomeOf } from './sign-out-outcome.ts'

/**
 * - `message` we send it one ourselves, as often as it takes
 * - `browser` only the person's browser can tell it
 * - `at-once` it asks us at each request, so it is closed already
 * - `never`   it takes no sign-outs
 */
export type Telling =
  | { readonly how: 'message'; readonly row: LogoutRow }
  | { readonly how: 'browser' | 'at-once' | 'never' }

/** How the apps of one protocol hear of an end. */
export interface SignOutWay {
  readonly via: NonNullable<SessionApp['via']>
  tell(ended: EndedSession, app: SessionApp): Promise<Telling>
}

/** Of one app: `waiting` was not sent yet, `trying` could not be reached so far, `refused` will never take it. */
export type SignOutState = Outcome | 'waiting' | 'browser' | 'at-once' | 'never'

export interface SignOuts {
  add(way: SignOutWay): void
  /** Writes down whom to tell; they are told soon afterwards. */
  tell(ended: EndedSession): Promise<void>
  /** How it stands with each app of a session that has ended. For an hour; later what was confirmed reads as `waiting`. */
  progress(session: Session): Promise<{ readonly app: string; readonly state: SignOutState }[]>
  /** An app has said, through the browser or in an answer, that it has signed the person out. */
  confirm(sessionId: string, app: string): Promise<void>
}

export function createSignOuts({
  sessions,
  outbox,
  state,
}: {
  sessions: Pick<Sessions, 'onEnd'>
  outbox: Pick<Outbox, 'add'>
  state: State
}): SignOuts {
  const ways = new Map<SignOutWay['via'], SignOutWay>()
  const tellingOf = async (ended: EndedSession, app: SessionApp): Promise<Telling> =>
    (await ways.get(app.via ?? 'oidc')?.tell(ended, app)) ?? { how: 'never' }

  async function tell(ended: EndedSession): Promise<void> {
    const tellings = await Promise.all(ended.session.apps.map((app) => tellingOf(ended, app)))
    await outbox.add(tellings.flatMap((telling) => (telling.how === 'message' ? [telling.row] : [])))
  }

  sessions.onEnd(tell)
  return Object.freeze({
    add(way: SignOutWay) {
      ways.set(way.via, way)
    },
    tell,
    progress: (session: Session) =>
      Promise.all(
        session.apps.map(async (entry): Promise<{ app: string; state: SignOutState }> => {
          const { how } = await tellingOf({ session, reason: '' }, entry)
          const outcome = await outcomeOf(state, session.id, entry.app)
          return { app: entry.app, state: outcome ?? (how === 'message' ? 'waiting' : how) }
        }),
      ),
    confirm: (sessionId: string, app: string) => noteOutcome(state, sessionId, app, 'confirmed'),
  })
}
