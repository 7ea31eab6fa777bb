/** Where somebody stands in a conversation: what is known, what policy says to it, and what a step is shown of it. */
import type { Question, Verdict } from '#access'
import type { App } from '#catalog'
import { Refusal } from '#core/refusal'
import type { Choice, Person, SeenDevice } from '#directory'
import type { FactorKind } from '#factors'
import type { PageRequest } from '#http'
import type { Device, Enrolled, Session } from '#sessions'
import type { Situation } from './dispatch.ts'
import type { Errand } from './errand.ts'
import type { SigninRooms } from './rooms.ts'
import { createRouting } from './routing.ts'
import type { Scene } from './steps/step.ts'

/** Where somebody stands: a situation, and what the host needs besides. */
export interface Place extends Situation {
  readonly app: App | undefined
  readonly person: Person | undefined
  readonly device: Device | undefined
  readonly enrolledAs: Enrolled
  /** The session of this browser, also where it does not count for the errand. */
  readonly current: Session | undefined
}

/** Which provider somebody chose in this browser. */
export const PROVIDER_COOKIE = 'portico-provider'

const SECOND_FACTORS: readonly FactorKind[] = ['passkey', 'totp']

export function createPlaces(rooms: SigninRooms) {
  const { access, people, factors, sessions, devices, catalog, presenter } = rooms
  const route = createRouting(rooms.routing)

  /** `decide` is `ask` where the person is told something by it, `preview` where only the way on is chosen. */
  async function placeOf(
    request: PageRequest,
    errand: Errand,
    decide: (question: Question) => Promise<Verdict>,
    now?: { session: Session },
  ): Promise<Place> {
    const current = now?.session ?? (await sessions.find(request.cookies.get(sessions.cookieName)))
    const session = errand.somebodyElse ? undefined : current
    const person = session ? await people.byId(session.personId) : undefined
    const device = session ? await devices.find(request.cookies.get(devices.cookieName), session.personId) : undefined
    const enrolledAs = await access.enrolled.byCookies(request.cookies)
    const app = errand.app === undefined ? undefined : await catalog.apps.find(errand.app)
    if (errand.app !== undefined && !app) throw new Refusal('app-unknown', 'app of an errand')
    const verdict = await decide({
      // whoever connects an account proves as much as for adding a factor
      ...(errand.connecting
        ? { kind: 'account', policy: 'account' }
        : { kind: errand.kind, app, ...(errand.policy ? { policy: errand.policy } : {}) }),
      ...(errand.wanted ? { wanted: errand.wanted } : {}),
      session,
      person,
      device,
      enrolled: enrolledAs,
      address: request.address,
      startedAt: session && errand.session === session.id ? errand.startedAt : rooms.clock.now(),
    })
    const alive = verdict.person ? session : undefined
    // who is let in need not be asked what else they have
    const own = alive && verdict.outcome !== 'allow' ? await factors.enrolled(alive.personId) : []
    const enrolled = [...new Set(own.filter(({ left }) => left !== 0).map(({ kind }) => kind))]
    const enrollable =
      alive && verdict.outcome === 'challenge'
        ? await enrollableNow(request, { errand, session: alive, device, enrolledAs, enrolled, verdict })
        : []
    return {
      now: rooms.clock.now(),
      errand,
      session: alive,
      verdict,
      enrolled,
      enrollable,
      provider: alive && providerOf(alive, verdict.person),
      app,
      person: verdict.person,
      device,
      enrolledAs,
      current,
    }
  }

  /** Their own, where what they gave while it was down counts no more: nothing of ours can stand for its word. */
  function providerOf({ authenticated }: Session, person: Person | undefined): Situation['provider'] {
    const choices = people.federation.choices()
    const own = authenticated.some(({ duringOutage }) => duringOutage)
      ? choices.find(({ id }) => id === person?.directory)
      : undefined
    if (own) return { ...own, stepUp: 'there' }
    const directory = authenticated.find(({ factor }) => factor === 'upstream')?.directory
    return choices.find(({ id }) => id === directory)
  }

  /** Only what would help, only where the policy for accounts allows adding it, never beside a second factor that exists. */
  async function enrollableNow(
    request: PageRequest,
    at: {
      errand: Errand
      session: Session
      device: Device | undefined
      enrolledAs: Enrolled
      enrolled: readonly FactorKind[]
      verdict: Verdict
    },
  ) {
    // ATTACK: with a stolen password one could add a second factor of one's own instead of giving the person's
    if (at.enrolled.some((kind) => SECOND_FACTORS.includes(kind) || kind === 'recovery-code')) return []
    const helpful = SECOND_FACTORS.filter((kind) =>
      at.verdict.decision.missing.some(
        (combination) =>
          combination.includes(kind) &&
          combination.every((one) => one === kind || at.enrolled.includes(one as FactorKind)),
      ),
    )
    if (helpful.length === 0) return []
    const { session, device, enrolledAs, errand } = at
    const allowed = await access.preview({
      kind: 'account',
      policy: 'account',
      session,
      device,
      enrolled: enrolledAs,
      address: request.address,
      startedAt: errand.startedAt,
    })
    return allowed.outcome === 'allow' ? helpful : []
  }

  /** The one chosen last time on this browser first. */
  function choicesFor(request: PageRequest): readonly Choice[] {
    const last = request.cookies.get(PROVIDER_COOKIE)
    const choices = people.federation.choices()
    return [...choices.filter(({ id }) => id === last), ...choices.filter(({ id }) => id !== last)]
  }

  /** Where the settings send somebody; undefined is the sign-in page. `typed`: their user name, once they have said it. */
  function providerFor(request: PageRequest, errand: Errand, typed?: string): string | undefined {
    const { app, provider, loginHint, domainHint } = errand
    const choices = people.federation.choices()
    // a provider that the app names comes first, and what somebody types themselves before what the app says
    if (typed === undefined && choices.some(({ id }) => id === provider)) return provider
    const username = typed ?? loginHint
    const to = route({ app, address: request.address, username, ...(typed === undefined ? { hint: domainHint } : {}) })
    return choices.some(({ id }) => id === to) ? to : undefined
  }

  function sceneOf(request: PageRequest, place: Place, refusal?: Scene['refusal'], on?: SeenDevice): Scene {
    const username = place.session ? place.person?.username : place.errand.username
    return {
      ...place,
      request,
      messages: presenter.messages(request),
      factors,
      username,
      personName: place.person?.name,
      knownDevice: place.device !== undefined || on?.known === true,
      enrolledDevice: on?.enrolled === true,
      support: rooms.support,
      async changePassword(personId, passwords) {
        await people.changePassword(personId, passwords)
        await sessions.endAll(personId, 'password-changed', personId, place.current?.id)
        // ATTACK: an app opened with the old password may have got a token that outlives its session
        await rooms.revoke?.(personId)
      },
      choices: choicesFor(request),
      route: (username) => providerFor(request, place.errand, username),
      // ATTACK: a stranger is not told from where, or when, it would open
      suggestion: () => (place.session ? access.suggest(place.verdict, place.enrolled) : undefined),
      ...(refusal ? { refusal } : {}),
    }
  }

  /**
   * Whether this browser is known to whoever is about to show who they are. An outsider who hammers a name shares no
   * limit with that person's own device (docs/limits.md).
   */
  async function knowsDevice(request: PageRequest, { session, errand }: Place): Promise<boolean> {
    const cookie = request.cookies.get(devices.cookieName)
    if (session || cookie === undefined || errand.username === undefined) return false
    // ATTACK: any text for a cookie would have directories asked for any name, as often as somebody likes
    if (!(await devices.find(cookie))) return false
    const person = await people.find(errand.username).catch(() => undefined)
    return person !== undefined && (await devices.find(cookie, person.id)) !== undefined
  }

  /** Whether this browser is one of the organisation's own, also where no rule asks for that. */
  async function isEnrolled(request: PageRequest, { enrolledAs }: Pick<Place, 'enrolledAs'>): Promise<boolean> {
    if (enrolledAs !== undefined) return enrolledAs !== null
    return (await devices.enrolled.find(request.cookies.get(devices.enrolledCookieName))) !== null
  }

  /** Whether this browser was ever somebody's here, or is one of the organisation's own. */
  async function isKnown(request: PageRequest, place: Pick<Place, 'enrolledAs'>): Promise<boolean> {
    const device = await devices.find(request.cookies.get(devices.cookieName))
    return device !== undefined || isEnrolled(request, place)
  }

  return { placeOf, sceneOf, knowsDevice, isEnrolled, isKnown, providerFor }
}

export type Places = ReturnType<typeof createPlaces>
