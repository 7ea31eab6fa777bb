/** The requests of a conversation: find where somebody stands, take a form, show the next page. */
import { minutes } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { type Answer, type PageRequest, redirect, type SetCookie } from '#http'
import { awayView, backView, choiceView, expiredView } from '#pages'
import { createAway } from './away.ts'
import { destinationOf, nextStep, possibleWays, type StepName } from './dispatch.ts'
import { browserHash, type Errand, pathOf, type Way } from './errand.ts'
import { noteHeld } from './held.ts'
import { createOutcomes } from './outcome.ts'
import { countFailure, countPrompt } from './past.ts'
import { createPlaces, type Place, PROVIDER_COOKIE } from './place.ts'
import type { SigninRooms } from './rooms.ts'
import { around, who } from './steps/common.ts'
import { STEPS } from './steps/list.ts'
import type { Outcome, Scene } from './steps/step.ts'

const BROWSER_COOKIE = 'portico-browser'
/** So long may somebody think about who they are here. */
const LONGEST_ARRIVAL = minutes(15)
/** Steps that take a password of whoever is about to show who they are. */
const PASSWORDS: readonly (string | undefined)[] = ['password', 'new-password']
/** Seconds for which a browser remembers which provider was chosen. */
const REMEMBERED = 180 * 86_400

export type Conversation = ReturnType<typeof createConversation>

export function createConversation(rooms: SigninRooms) {
  const { access, catalog, diagnosis, people, presenter, errands, sessions, signOut } = rooms
  /** The references of those who came without the cookie that they had been given. */
  const lost = new WeakMap<PageRequest, string>()
  const places = createPlaces(rooms)
  const { placeOf, sceneOf, knowsDevice, isEnrolled, providerFor } = places
  const { leave, carryOut } = createOutcomes(rooms, places)
  const { leaveFor, posted, comeBack, noted, notedSeldom } = createAway(rooms, places)

  async function show(
    request: PageRequest,
    place: Place,
    cookies: readonly SetCookie[],
    refusal?: Refusal,
    reference?: string,
  ): Promise<Answer> {
    const step = nextStep(place)
    if (step === 'leave') return leave(request, place, cookies)
    if (step === 'away') return goAway(request, place, cookies)
    const wrong = refusal && {
      code: refusal.code,
      ...(refusal.retryAfter === undefined ? {} : { retryAfter: refusal.retryAfter }),
      ...(reference === undefined ? {} : { reference }),
    }
    const scene = sceneOf(request, place, wrong)
    const view =
      request.query.has('other') && place.session
        ? choiceView(waysOf(scene), scene.messages)
        : await STEPS[step].show(scene)
    const status = refusal?.status ?? (step === 'refused' ? 403 : 200)
    // somebody comes back after their session has ended without them
    const frames = request.method === 'GET' && !place.current ? await signOut.frames(request) : []
    const answer = presenter.page(request, () => ({ ...view, frames }), {
      status,
      path: pathOf(place.errand),
      formTargets: place.errand.formTargets ?? [],
      ...(refusal?.retryAfter ? { retryAfter: refusal.retryAfter } : {}),
    })
    return { ...answer, cookies: [...(answer.cookies ?? []), ...cookies] }
  }

  /**
   * Browsers hold the policy of the page whose form was sent against every address that it leads to, and no page of ours
   * lists other providers: so after a form comes a page that goes on by itself.
   */
  async function goAway(request: PageRequest, place: Place, cookies: readonly SetCookie[]): Promise<Answer> {
    const browser = request.cookies.get(BROWSER_COOKIE)
    // of the cookies that several tabs get at once only the last one stays: the next request tells which one that is
    if (browser === undefined) {
      await errands.save(place.errand)
      return redirect(pathOf(place.errand), cookies)
    }
    if (request.query.has('on')) {
      const title = people.federation.choices().find(({ id }) => id === destinationOf(place))?.title ?? ''
      return presenter.page(request, (messages) => awayView({ to: pathOf(place.errand), title }, messages))
    }
    try {
      return await leaveFor(request, place, browser, cookies)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.code === 'provider-throttled') {
        const errand = await errands.change(place.errand, { goTo: undefined, routed: true })
        return show(request, { ...place, errand }, cookies, error)
      }
      await notedSeldom(error, destinationOf(place)!, request)
      const trouble = { code: error.code, reference: request.id }
      // what cannot be reached now is not tried again by itself
      const never = { goTo: undefined, routed: true, asked: { again: true } } as const
      const changes = { ...never, cameFrom: destinationOf(place), trouble }
      await errands.change(place.errand, changes)
      return redirect(pathOf(place.errand), cookies)
    }
  }

  const goOn = (request: PageRequest, to: string, cookies: readonly SetCookie[] = []): Answer => {
    const answer = presenter.page(request, (messages) => backView({ to }, messages))
    return { ...answer, cookies: [...(answer.cookies ?? []), ...cookies] }
  }

  const waysOf = (scene: Scene) => ({
    ...around(scene),
    ...who(scene),
    ways: possibleWays(scene).map((way) =>
      way === 'upstream' ? { way, kind: 'password' as const, label: providerName(scene) } : { way, kind: way },
    ),
  })

  /**
   * The browser that answers an errand first is the only one that may go on with it. Looking at it binds nothing yet: of
   * the cookies that eight tabs get when they open at once only the last one stays.
   */
  async function open(request: PageRequest): Promise<{ errand: Errand; cookies: readonly SetCookie[] } | undefined> {
    const found = await errands.find(request.params['errand'] ?? '')
    if (!found) return undefined
    const errand = withoutOld(found)
    const cookie = request.cookies.get(BROWSER_COOKIE)
    if (errand.browser !== undefined) {
      if (cookie !== undefined && browserHash(cookie) === errand.browser) return { errand, cookies: [] }
      if (cookie === undefined) await noteLostCookie(request, errand)
      return undefined
    }
    const value = cookie ?? randomId(32)
    const cookies = cookie ? [] : [{ name: BROWSER_COOKIE, value }]
    if (request.method !== 'POST') return { errand, cookies }
    return { errand: await errands.change(errand, { browser: browserHash(value) }), cookies }
  }

  /** The browser that answers has just been given one: it keeps none, or somebody else has the address. */
  async function noteLostCookie(request: PageRequest, { app: id }: Errand): Promise<void> {
    const app = id === undefined ? undefined : await catalog.apps.find(id)
    if (!app) return
    const seen = { error: 'cookie-missing', cookie: 'sign-in' } as const
    lost.set(request, await diagnosis.failed({ app, request: request.id, stage: 'sign-in', seen }))
  }

  /** An errand that is gone starts again at its own app where the address still says which one that was. */
  async function expired(request: PageRequest): Promise<Answer> {
    const id = request.query.get('app')
    const app = id ? await catalog.apps.find(id) : undefined
    const reference = lost.get(request)
    // without its cookie the browser would only go in circles
    if (app?.launchUrl && reference === undefined) return redirect(app.launchUrl)
    return presenter.page(
      request,
      (messages) =>
        expiredView(
          { again: '/', ...(app ? { app: app.name } : {}), ...(reference === undefined ? {} : { reference }) },
          messages,
        ),
      { status: 400 },
    )
  }

  return {
    async get(request: PageRequest): Promise<Answer> {
      const opened = await open(request)
      if (!opened) return expired(request)
      const { cookies } = opened
      let { errand } = opened
      if (request.query.has('somebody-else'))
        errand = await errands.change(errand, {
          somebodyElse: true,
          username: undefined,
          toRenew: undefined,
          way: undefined,
          remember: undefined,
          raised: undefined,
          arrived: undefined,
          connecting: undefined,
          cameFrom: undefined,
          asked: undefined,
          routed: true,
        })
      const away = request.query.get('away')
      if (away !== null && people.federation.choices().some(({ id }) => id === away) && !errand.connecting)
        errand = await errands.change(errand, { goTo: away })
      else if (!errand.routed && !errand.connecting) errand = await routed(request, errand)
      if (request.query.has('enrol')) errand = await errands.change(errand, { enrolling: undefined })
      if (request.query.has('back')) errand = await errands.change(errand, { outcome: 'refused' })
      const place = await placeOf(request, errand, access.ask)
      await countPrompt(rooms, place)
      const { trouble } = errand
      if (!trouble) return show(request, place, cookies)
      const told = await errands.change(errand, { trouble: undefined })
      return show(request, { ...place, errand: told }, cookies, new Refusal(trouble.code), trouble.reference)
    },

    /**
     * Somebody comes back from another provider, often from a form of its page, whose policy knows this address and none
     * that it could lead on to: so it always ends with a page that goes on by itself.
     */
    async back(request: PageRequest): Promise<Answer> {
      const directory = request.params['directory'] ?? ''
      const came = await comeBack(request, directory, request.cookies.get(BROWSER_COOKIE))
      if (!came) return expired(request)
      const { errand } = came
      if ('trouble' in came) {
        const trouble = { code: came.trouble.code, reference: request.id }
        await errands.change(errand, { trouble, cameFrom: directory })
        return goOn(request, pathOf(errand))
      }
      const chosen: SetCookie = { name: PROVIDER_COOKIE, value: directory, maxAge: REMEMBERED }
      try {
        const arrival = await people.federation.arrive(came.arrived)
        if (arrival.kind === 'newcomer') {
          await errands.change(errand, { arrived: came.arrived, may: arrival.may })
          return goOn(request, pathOf(errand), [chosen])
        }
        const place = await placeOf(request, errand, access.preview)
        const outcome = { kind: 'arrived', personId: arrival.person.id, arrived: came.arrived } as const
        const next = await carryOut(request, place, outcome)
        const cookies = [chosen, ...next.cookies]
        const leaving = nextStep(next.place) === 'leave'
        const answer = leaving ? await leave(request, next.place, cookies) : redirect(pathOf(errand), cookies)
        if (!leaving) await errands.save(next.place.errand)
        const handedOver = await signOut.handOver(request, replacedBy(place, next.place), answer)
        return handedOver === answer ? goOn(request, answer.headers!['location']!, answer.cookies ?? []) : handedOver
      } catch (error) {
        if (!(error instanceof Refusal) || error.status >= 500) throw error
        await noted(error, directory, request)
        await errands.change(errand, { trouble: { code: error.code, reference: request.id }, cameFrom: directory })
        return goOn(request, pathOf(errand))
      }
    },

    posted: (request: PageRequest) => posted(request, request.params['directory'] ?? ''),

    async post(request: PageRequest): Promise<Answer> {
      const opened = await open(request)
      if (!opened) return expired(request)
      const form = await request.form()
      const place = await placeOf(request, opened.errand, access.preview)
      const expected = nextStep(place)
      const answered = form.get('step')
      const known = PASSWORDS.includes(answered) && (await knowsDevice(request, place))
      const scene = sceneOf(request, place, undefined, { known, enrolled: await isEnrolled(request, place) })
      let outcome: Outcome | undefined
      try {
        if (answered === 'choice') outcome = { kind: 'way', way: wayOf(scene, form.get('way')) }
        else if (expected !== 'leave' && expected !== 'away' && answersTo(answered, expected, place))
          outcome = await STEPS[answered].take(scene, form)
      } catch (error) {
        if (!(error instanceof Refusal) || error.status >= 500) throw error
        await countFailure(rooms, place, error)
        return show(request, place, opened.cookies, error, noteHeld(rooms, error, request.id))
      }
      // a form of another tab, or of a page reached with the Back button: show where things stand now
      if (!outcome) return redirect(pathOf(place.errand), opened.cookies)
      const next = await carryOut(request, place, outcome)
      const cookies = [...opened.cookies, ...next.cookies]
      const replaced = replacedBy(place, next.place)
      if (nextStep(next.place) === 'leave')
        return signOut.handOver(request, replaced, await leave(request, next.place, cookies))
      await errands.save(next.place.errand)
      const on = nextStep(next.place) === 'away' ? 'on' : undefined
      return signOut.handOver(request, replaced, redirect(pathOf(place.errand, on), cookies))
    },
  }

  /** ATTACK: who came from another provider hours ago may be somebody there no more. */
  function withoutOld(errand: Errand): Errand {
    if (!errand.arrived || rooms.clock.now() - errand.arrived.at <= LONGEST_ARRIVAL) return errand
    return errands.changed(errand, { arrived: undefined, connecting: undefined })
  }

  /** Once for each errand: whoever comes back to its page has seen where the settings send them. */
  async function routed(request: PageRequest, errand: Errand): Promise<Errand> {
    const goTo = providerFor(request, errand)
    // most installations have no rule, and then there is nothing to write down
    if (goTo === undefined || (await sessions.find(request.cookies.get(sessions.cookieName)))) return errand
    return errands.change(errand, { goTo, routed: true })
  }
}

/** The session of whoever was here before, where somebody else has just begun theirs. */
const replacedBy = ({ current }: Place, next: Place): Place['current'] =>
  current && next.current && current.id !== next.current.id ? current : undefined

const providerName = ({ choices, provider }: Scene): string =>
  choices.find(({ id }) => id === provider?.id)?.title ?? ''

function wayOf(scene: Scene, way: string | undefined): Way {
  const known = possibleWays(scene).find((kind) => kind === way)
  if (!known) throw new Refusal('factor-unknown', 'way is not offered')
  return known
}

/** While nobody is signed in, the steps before are as good as the current one: people go back and correct a name. */
function answersTo(answered: string | undefined, expected: StepName, place: Place): answered is keyof typeof STEPS {
  if (answered === expected) return true
  if (answered === 'passkey' && expected === 'identifier') return false
  return (
    !place.session &&
    (answered === 'identifier' || (answered === 'password' && place.errand.username !== undefined)) &&
    expected !== 'refused'
  )
}
