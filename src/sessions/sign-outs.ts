/** Who hears of a session's end, and how: what the protocols say about each app, and what has come of it. */
import type { Sending } from '#http'
import type { State } from '#storage'
import type { EndedSession } from './ending.ts'
import type { LogoutRow, Outbox } from './outbox.ts'
import type { SessionApp } from './record.ts'
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
  /**
   * What a browser loads from the app, or posts to it, out of sight, to tell it; made for this moment. To be given where
   * `tell` may answer `browser`; undefined where there is none any more.
   */
  frame?(ended: EndedSession, app: SessionApp): Promise<Sending | undefined>
}

/** Of one app: `waiting` was not sent yet, `trying` could not be reached so far, `refused` will never take it. */
export type SignOutState = Outcome | 'waiting' | 'browser' | 'at-once' | 'never'

/** The better ones first. */
const WORSE: readonly SignOutState[] = ['at-once', 'confirmed', 'browser', 'waiting', 'trying', 'refused', 'never']

export interface SignOuts {
  add(way: SignOutWay): void
  /** Writes down whom to tell; they are told soon afterwards. Answers the apps that hear nothing of it without a browser. */
  tell(ended: EndedSession): Promise<readonly string[]>
  /**
   * How it stands with each app of a session that has ended; one that was opened several times stands as it does where it
   * stands worst. For an hour; later what was confirmed reads as `waiting`.
   */
  progress(ended: EndedSession): Promise<{ readonly app: string; readonly state: SignOutState }[]>
  /** What the browser in which it was has to load, so that the apps hear which only a browser can tell. */
  frames(ended: EndedSession): Promise<Sending[]>
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

  async function stateOf(ended: EndedSession, entry: SessionApp): Promise<SignOutState> {
    const { how } = await tellingOf(ended, entry)
    const { id, personId } = ended.session
    const said = await outcomeOf(state, id, entry.app)
    const outcome = said ?? (ended.everywhere ? await outcomeOf(state, personId, entry.app) : undefined)
    return outcome ?? (how === 'message' ? 'waiting' : how)
  }

  async function tell(ended: EndedSession): Promise<readonly string[]> {
    const { apps } = ended.session
    const tellings = await Promise.all(apps.map((app) => tellingOf(ended, app)))
    await outbox.add(tellings.flatMap((telling) => (telling.how === 'message' ? [telling.row] : [])))
    const untold = apps.filter((_, at) => tellings[at]!.how === 'browser' || tellings[at]!.how === 'never')
    return [...new Set(untold.map(({ app }) => app))]
  }

  sessions.onEnd(async (ended) => void (await tell(ended)))
  return Object.freeze({
    add(way: SignOutWay) {
      ways.set(way.via, way)
    },
    tell,

    async progress(ended: EndedSession) {
      const states = new Map<string, SignOutState>()
      for (const entry of ended.session.apps) {
        const [before, now] = [states.get(entry.app), await stateOf(ended, entry)]
        if (before === undefined || WORSE.indexOf(now) > WORSE.indexOf(before)) states.set(entry.app, now)
      }
      return [...states].map(([app, state]) => ({ app, state }))
    },

    async frames(ended: EndedSession) {
      const found = await Promise.all(
        ended.session.apps.map(async (entry) => {
          const { how } = await tellingOf(ended, entry)
          return how === 'browser' ? ways.get(entry.via ?? 'oidc')?.frame?.(ended, entry) : undefined
        }),
      )
      return found.filter((one) => one !== undefined)
    },

    confirm: (sessionId: string, app: string) => noteOutcome(state, sessionId, app, 'confirmed'),
  })
}
