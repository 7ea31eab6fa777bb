/** The requests of a conversation: find where somebody stands, take a form, show the next page. */
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { FactorKind } from '#factors'
import { type Answer, type PageRequest, redirect, type SetCookie } from '#http'
import { choiceView, expiredView } from '#pages'
import { nextStep, possibleWays, type StepName } from './dispatch.ts'
import { browserHash, type Errand, pathOf } from './errand.ts'
import { createOutcomes } from './outcome.ts'
import { countFailure, countPrompt } from './past.ts'
import { createPlaces, type Place } from './place.ts'
import type { SigninRooms } from './rooms.ts'
import { around, who } from './steps/common.ts'
import { STEPS } from './steps/list.ts'
import type { Outcome, Scene } from './steps/step.ts'

const BROWSER_COOKIE = 'portico-browser'

export function createConversation(rooms: SigninRooms) {
  const { access, catalog, presenter, errands } = rooms
  const places = createPlaces(rooms)
  const { placeOf, sceneOf, knowsDevice } = places
  const { leave, carryOut } = createOutcomes(rooms, places)

  async function show(
    request: PageRequest,
    place: Place,
    cookies: readonly SetCookie[],
    refusal?: Refusal,
  ): Promise<Answer> {
    const step = nextStep(place)
    if (step === 'leave') return leave(request, place, cookies)
    const wrong = refusal && {
      code: refusal.code,
      ...(refusal.retryAfter === undefined ? {} : { retryAfter: refusal.retryAfter }),
    }
    const scene = sceneOf(request, place, wrong)
    const view =
      request.query.has('other') && place.session
        ? choiceView(waysOf(scene), scene.messages)
        : await STEPS[step].show(scene)
    const status = refusal?.status ?? (step === 'refused' ? 403 : 200)
    const answer = presenter.page(request, () => view, {
      status,
      path: pathOf(place.errand),
      formTargets: place.errand.formTargets ?? [],
      ...(refusal?.retryAfter ? { retryAfter: refusal.retryAfter } : {}),
    })
    return { ...answer, cookies: [...(answer.cookies ?? []), ...cookies] }
  }

  const waysOf = (scene: Scene) => ({
    ...around(scene),
    ...who(scene),
    ways: possibleWays(scene).map((kind) => ({ way: kind, kind })),
  })

  /**
   * The browser that answers an errand first is the only one that may go on with it. Looking at it binds nothing yet: of
   * the cookies that eight tabs get when they open at once only the last one stays.
   */
  async function open(request: PageRequest): Promise<{ errand: Errand; cookies: readonly SetCookie[] } | undefined> {
    const errand = await errands.find(request.params['errand'] ?? '')
    if (!errand) return undefined
    const cookie = request.cookies.get(BROWSER_COOKIE)
    if (errand.browser !== undefined)
      return cookie !== undefined && browserHash(cookie) === errand.browser ? { errand, cookies: [] } : undefined
    const value = cookie ?? randomId(32)
    const cookies = cookie ? [] : [{ name: BROWSER_COOKIE, value }]
    if (request.method !== 'POST') return { errand, cookies }
    return { errand: await errands.change(errand, { browser: browserHash(value) }), cookies }
  }

  /** An errand that is gone starts again at its own app where the address still says which one that was. */
  async function expired(request: PageRequest): Promise<Answer> {
    const id = request.query.get('app')
    const app = id ? await catalog.apps.find(id) : undefined
    if (app?.launchUrl) return redirect(app.launchUrl)
    return presenter.page(
      request,
      (messages) => expiredView({ again: '/', ...(app ? { app: app.name } : {}) }, messages),
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
          way: undefined,
          remember: undefined,
          raised: undefined,
        })
      if (request.query.has('enrol')) errand = await errands.change(errand, { enrolling: undefined })
      if (request.query.has('back')) errand = await errands.change(errand, { outcome: 'refused' })
      const place = await placeOf(request, errand, access.ask)
      await countPrompt(rooms, place)
      return show(request, place, cookies)
    },

    async post(request: PageRequest): Promise<Answer> {
      const opened = await open(request)
      if (!opened) return expired(request)
      const form = await request.form()
      const place = await placeOf(request, opened.errand, access.preview)
      const expected = nextStep(place)
      const answered = form.get('step')
      const known = answered === 'password' && (await knowsDevice(request, place))
      const scene = sceneOf(request, place, undefined, known)
      let outcome: Outcome | undefined
      try {
        if (answered === 'choice') outcome = { kind: 'way', way: wayOf(scene, form.get('way')) }
        else if (expected !== 'leave' && answersTo(answered, expected, place))
          outcome = await STEPS[answered].take(scene, form)
      } catch (error) {
        if (!(error instanceof Refusal) || error.status >= 500) throw error
        await countFailure(rooms, place, error)
        return show(request, place, opened.cookies, error)
      }
      // a form of another tab, or of a page reached with the Back button: show where things stand now
      if (!outcome) return redirect(pathOf(place.errand), opened.cookies)
      const next = await carryOut(request, place, outcome)
      const cookies = [...opened.cookies, ...next.cookies]
      if (nextStep(next.place) === 'leave') return leave(request, next.place, cookies)
      await errands.save(next.place.errand)
      return redirect(pathOf(place.errand), cookies)
    },
  }
}

function wayOf(scene: Scene, way: string | undefined): FactorKind {
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
