/**
 * Signing out, whoever asks for it: ends the session, tells its apps, and shows the browser how far that has come.
 *
 * The browser is known by the dead cookie of the very session that has ended: nothing else opens what is shown here, and it
 * opens nothing else.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import { type Clock, type Millis, minutes, seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Log } from '#core/log'
import { type Answer, type PageRequest, redirect, type Sending, type SetCookie } from '#http'
import {
  type HandOverData,
  handOverView,
  type Messages,
  type Presenter,
  signedOutView,
  type UntoldApp,
  type View,
} from '#pages'
import type { LeftSession, Session, Sessions, SignOutState, SignOuts } from '#sessions'
import { settled } from '#storage'
import type { SignOutReturn } from './sign-out-return.ts'

/** The dead cookie of the session that was signed out here, under another name: the browser holds no session any more. */
const COOKIE = 'portico-left'
const PATH = '/signed-out'
/** Of the first apps' answers, before anything is shown. */
const PATIENCE: Millis = seconds(2)
/** So long the page looks again by itself. */
const WATCHED: Millis = minutes(1)
/** After that it only says that somebody is signed out. */
const SHOWN: Millis = minutes(10)
/** Seconds in which frames load before the browser leaves the page. */
const FRAMES = 2
/** Everything that an app page may have kept in this browser goes; cookies stay, or the device would be forgotten. */
const CLEAR = { 'clear-site-data': '"cache", "storage"' }

export interface SignOut {
  /**
   * Ends the session of this browser and tells its apps; answers where the browser goes now. `to` is an address that the
   * app has registered: the page of ours is then shown only where the browser itself has to tell an app.
   */
  end(request: PageRequest, session: Session, to?: string): Promise<Answer>
  /** The same with every session of the person, also in other browsers. */
  endAll(request: PageRequest, session: Session): Promise<Answer>
  /** Nobody is signed in, and yet somebody wants to sign out. */
  over(request: PageRequest, to?: string): Promise<Answer>
  /**
   * Back from the provider, to go on to the app that wanted this. Not at once: the page before may have been a form of the
   * provider's, and its policy does not name the app.
   */
  back(request: PageRequest): Promise<Answer | undefined>
  /**
   * The page in between where the session of this very browser has just ended and there are apps that only it can tell; then it
   * goes on to `to`, a path of ours. Undefined where there is nothing to tell.
   */
  between(request: PageRequest, to: string): Promise<Answer | undefined>
  /** How far it has come. */
  show(request: PageRequest): Promise<Answer>
  /** What this browser has to load because its session ended without it. */
  frames(request: PageRequest): Promise<Sending[]>
  /** The page in between where somebody else has taken over this browser, whose apps only the browser can tell. */
  handOver(request: PageRequest, before: Session | undefined, answer: Answer): Promise<Answer>
  /** Of a browser in which somebody signs in: what the page showed is over. */
  forget(request: PageRequest): readonly SetCookie[]
}

export interface SignOutRooms {
  /** Our own public URL. */
  readonly issuer: string
  readonly clock: Clock
  readonly audit: Audit
  readonly log: Log
  readonly catalog: Pick<Catalog, 'apps'>
  readonly presenter: Presenter
  readonly sessions: Sessions
  readonly signOuts: Pick<SignOuts, 'progress' | 'frames'>
  /** Sends at once what the end of this session, or of all of its person, has to say to apps. */
  deliver(session: Session): Promise<unknown>
}

interface Elsewhere {
  /** Where the browser goes so that the session ends at the provider as well that it began with. */
  signOutThere(sessionId: string): Promise<Sending | undefined>
  readonly signOutReturn: SignOutReturn
}

export function createSignOut(rooms: SignOutRooms & Elsewhere): SignOut {
  const { audit, catalog, clock, issuer, presenter, sessions, signOuts, log, signOutReturn } = rooms
  const ours = new URL(issuer).origin

  async function framesOf(left: Parameters<typeof signOuts.frames>[0]): Promise<Sending[]> {
    // ATTACK: with our own origin the frame could take off its sandbox
    return (await signOuts.frames(left)).filter(({ url }) => URL.parse(url)?.origin !== ours)
  }

  async function framesFor(request: PageRequest): Promise<Sending[]> {
    const left = await sessions.left(request.cookies.get(sessions.cookieName))
    return left ? framesOf(left) : []
  }

  /** Before the page is shown, and no longer than somebody likes to wait. */
  async function tellNow(session: Session): Promise<void> {
    await settled()
    const stop = new AbortController()
    const telling = rooms.deliver(session).catch((error: unknown) => log.warn('logout-not-sent', {}, error))
    await Promise.race([telling, wait(PATIENCE, undefined, { signal: stop.signal, ref: false }).catch(() => {})])
    stop.abort()
  }

  /** Not cut off from whoever opened it: an app may have done so, and waits for it. */
  function page(request: PageRequest, view: (messages: Messages) => View, cookies: readonly SetCookie[] = []): Answer {
    const answer = presenter.page(request, view)
    return { ...answer, cookies: [...(answer.cookies ?? []), ...cookies] }
  }

  /** Of the cookie, not of the session: what stands in a history says nothing, and opens nothing without the cookie. */
  const idOf = (cookie: string): string => sha256(`signed-out ${cookie}`).slice(0, 22)

  async function leftHere(request: PageRequest): Promise<LeftSession | undefined> {
    const cookie = request.cookies.get(COOKIE)
    if (cookie === undefined || idOf(cookie) !== request.params['id']) return undefined
    const left = await sessions.left(cookie)
    return left && clock.now() - left.at <= SHOWN ? left : undefined
  }

  async function toldOf(left: LeftSession) {
    const states = await signOuts.progress(left)
    const late = clock.now() - left.at > WATCHED
    const others: UntoldApp[] = []
    for (const { app, state } of states) {
      const now = untold(state, late)
      if (now === undefined) continue
      const { name, launchUrl } = (await catalog.apps.find(app)) ?? { name: app }
      const open = now === 'refused' || now === 'deaf'
      others.push({ name, state: now, ...(open && launchUrl !== undefined ? { href: launchUrl } : {}) })
    }
    return { total: states.length, confirmed: states.length - others.length, others }
  }

  const later = (to: string) => ({ later: { seconds: FRAMES, to } })
  const onBy = ({ url, fields }: Sending, frames: number) =>
    fields ? { postOn: { url, fields, after: frames > 0 ? FRAMES : 0 } } : frames > 0 ? later(url) : { goOn: url }

  /**
   * From a page that goes on by itself: browsers hold the policy of the form before against every redirect after it, and ours
   * names no providers.
   */
  const goOn = (request: PageRequest, to: Sending, frames: readonly Sending[], cookies: readonly SetCookie[]): Answer =>
    page(
      request,
      (m) => ({
        ...signedOutView({ signIn: '/signin' }, m),
        ...(frames.length > 0 ? { frames } : {}),
        ...onBy(to, frames.length),
      }),
      cookies,
    )

  /** Goes on to the app, with a page in between where there is something to load. */
  function onTo(request: PageRequest, to: string, frames: readonly Sending[], cookies: readonly SetCookie[]): Answer {
    // an app's own scheme is no link that a page of ours goes on to by itself
    if (frames.length === 0 || !/^https?:/.test(to)) return redirect(to, cookies)
    return goOn(request, { url: to }, frames, cookies)
  }

  const leftCookies = (cookie: string): SetCookie[] => [
    { name: sessions.cookieName, value: '' },
    { name: COOKIE, value: cookie, maxAge: SHOWN / 1000 },
  ]

  async function leave(request: PageRequest, session: Session, ended: boolean, to?: string): Promise<Answer> {
    if (ended) {
      const { id, personId } = session
      await audit.record('person-signed-out', { actor: personId, subject: personId, session: id })
      await tellNow(session)
    }
    // only now: what has ended here does not wait for a provider
    const there = await rooms.signOutThere(session.id)
    const cookie = request.cookies.get(sessions.cookieName) ?? ''
    const cookies: SetCookie[] = [
      ...leftCookies(cookie),
      // what another app wanted before is over
      there !== undefined && to !== undefined ? await signOutReturn.keep(to) : signOutReturn.gone,
    ]
    const frames = await framesOf({ session, reason: 'signed-out' })
    const answer =
      there !== undefined
        ? goOn(request, there, frames, cookies)
        : to === undefined
          ? redirect(`${PATH}/${idOf(cookie)}`, cookies)
          : onTo(request, to, frames, cookies)
    return { ...answer, headers: { ...answer.headers, ...CLEAR } }
  }

  return {
    async end(request, session, to) {
      return leave(request, session, await sessions.end(session.id, 'signed-out', session.personId), to)
    },

    async endAll(request, session) {
      const { personId } = session
      return leave(request, session, (await sessions.endAll(personId, 'signed-out', personId)) > 0)
    },

    async over(request, to) {
      const frames = await framesFor(request)
      if (to !== undefined) return onTo(request, to, frames, [])
      const cookie = request.cookies.get(COOKIE)
      if (cookie !== undefined && (await sessions.left(cookie))) return redirect(`${PATH}/${idOf(cookie)}`)
      const gone = { name: sessions.cookieName, value: '' }
      return page(request, (m) => ({ ...signedOutView({ signIn: '/signin' }, m), frames }), [gone])
    },

    async back(request) {
      if (request.query.has('on')) {
        const address = await signOutReturn.take(request)
        return address === undefined ? undefined : redirect(address, [signOutReturn.gone])
      }
      if ((await signOutReturn.find(request)) === undefined) return undefined
      return goOn(request, { url: `${request.path}?on` }, [], [{ name: sessions.cookieName, value: '' }])
    },

    async between(request, to) {
      const frames = await framesFor(request)
      if (frames.length === 0) return undefined
      const answer = goOn(request, { url: to }, frames, leftCookies(request.cookies.get(sessions.cookieName) ?? ''))
      return { ...answer, headers: { ...answer.headers, ...CLEAR } }
    },

    async show(request) {
      const left = await leftHere(request)
      if (!left) return page(request, (m) => signedOutView({ signIn: '/signin' }, m))
      const told = await toldOf(left)
      const again = request.query.has('again')
      const frames = again ? [] : await framesOf(left)
      // an app that was told by a frame may have confirmed through the browser by then (SAML)
      const open = frames.length > 0 || told.others.some(({ state }) => state === 'waiting')
      const look = frames.length > 0 ? 2 * FRAMES : FRAMES
      return page(request, (m) => ({
        ...signedOutView({ signIn: '/signin', told }, m),
        frames,
        ...(open ? { later: { seconds: look, to: `${request.path}?again` } } : {}),
      }))
    },

    frames: framesFor,

    async handOver(request, before, answer) {
      const frames = before ? await framesOf({ session: before, reason: 'replaced' }) : []
      const to = answer.headers?.['location']
      if (frames.length === 0 || to === undefined) return answer
      const data: HandOverData = { to }
      return page(request, (m) => ({ ...handOverView(data, m), frames, ...later(to) }), answer.cookies)
    },

    forget: (request) => (request.cookies.has(COOKIE) ? [{ name: COOKIE, value: '' }] : []),
  }
}

/** What there is to say about an app; undefined where it is signed out. `late`: nobody waits for it any more. */
function untold(state: SignOutState, late: boolean): UntoldApp['state'] | undefined {
  const states = {
    confirmed: undefined,
    'at-once': undefined,
    browser: 'asked',
    waiting: late ? 'unreached' : 'waiting',
    trying: late ? 'unreached' : 'waiting',
    refused: 'refused',
    never: 'deaf',
  } as const
  return states[state]
}
