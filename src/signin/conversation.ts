/** The requests of a conversation: find where somebody stands, take a form, show the next page. */
import type { Question, Verdict } from '#access'
import type { App } from '#catalog'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Person } from '#directory'
import type { FactorKind } from '#factors'
import { type Answer, type PageRequest, redirect, type SetCookie } from '#http'
import { browserName, choiceView, expiredView } from '#pages'
import type { Device, Proof, Session } from '#sessions'
import { nextStep, possibleWays, rememberDays, type Situation, type StepName } from './dispatch.ts'
import { browserHash, type Changes, type Errand, pathOf } from './errand.ts'
import { countFailure, countPrompt, keepSignIn } from './past.ts'
import { establish, rememberDevice } from './proved.ts'
import type { SigninRooms } from './rooms.ts'
import { around, who } from './steps/common.ts'
import { STEPS } from './steps/list.ts'
import type { Outcome, Scene } from './steps/step.ts'

/** Where somebody stands: a situation, and what the host needs besides. */
interface Place extends Situation {
  readonly app: App | undefined
  readonly person: Person | undefined
  readonly device: Device | undefined
  /** The session of this browser, also where it does not count for the errand. */
  readonly current: Session | undefined
}

const BROWSER_COOKIE = 'portico-browser'
const SECOND_FACTORS: readonly FactorKind[] = ['passkey', 'totp']

export function createConversation(rooms: SigninRooms) {
  const { access, people, factors, sessions, devices, catalog, presenter, errands } = rooms

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
    const app = errand.app === undefined ? undefined : await catalog.apps.find(errand.app)
    if (errand.app !== undefined && !app) throw new Refusal('app-unknown', 'app of an errand')
    const verdict = await decide({
      kind: errand.kind,
      app,
      ...(errand.policy ? { policy: errand.policy } : {}),
      ...(errand.wanted ? { wanted: errand.wanted } : {}),
      session,
      person,
      device,
      address: request.address,
      startedAt: session && errand.session === session.id ? errand.startedAt : rooms.clock.now(),
    })
    const alive = verdict.person ? session : undefined
    const own = alive ? await factors.enrolled(alive.personId) : []
    const enrolled = [...new Set(own.filter(({ left }) => left !== 0).map(({ kind }) => kind))]
    const enrollable =
      alive && verdict.outcome === 'challenge'
        ? await enrollableNow(request, { errand, session: alive, device, enrolled, verdict })
        : []
    return {
      now: rooms.clock.now(),
      errand,
      session: alive,
      verdict,
      enrolled,
      enrollable,
      app,
      person: verdict.person,
      device,
      current,
    }
  }

  /** Only what would help, only where the policy for accounts allows adding it, never beside a second factor that exists. */
  async function enrollableNow(
    request: PageRequest,
    at: {
      errand: Errand
      session: Session
      device: Device | undefined
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
    const { session, device, errand } = at
    const allowed = await access.preview({
      kind: 'account',
      policy: 'account',
      session,
      device,
      address: request.address,
      startedAt: errand.startedAt,
    })
    return allowed.outcome === 'allow' ? helpful : []
  }

  function sceneOf(request: PageRequest, place: Place, refusal?: Scene['refusal'], knownDevice = false): Scene {
    const username = place.session ? place.person?.username : place.errand.username
    return {
      ...place,
      request,
      messages: presenter.messages(request),
      factors,
      username,
      personName: place.person?.name,
      knownDevice: place.device !== undefined || knownDevice,
      support: rooms.support,
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

  /** Back to where the errand came from; that door asks again. */
  async function leave(request: PageRequest, place: Place, cookies: readonly SetCookie[]): Promise<Answer> {
    const { errand, session, verdict, device } = place
    if (!session || verdict.outcome !== 'allow') {
      await errands.save(errand)
      return redirect(errand.returnTo, cookies)
    }
    const trustDays = errand.remember && errand.raised ? rememberDays(verdict) : undefined
    const label = browserName(presenter.messages(request), request.headers['user-agent']) ?? ''
    const known = await rememberDevice(rooms, { request, device, personId: session.personId, label, trustDays })
    await keepSignIn(rooms, place, session, request.address)
    await errands.save(errand.outcome ? errand : errands.changed(errand, { outcome: 'done' }))
    return redirect(errand.returnTo, [...cookies, ...known])
  }

  /** What a form amounted to, carried out. Answers where somebody then stands; the errand is still to be saved. */
  async function carryOut(
    request: PageRequest,
    place: Place,
    outcome: Outcome,
  ): Promise<{ place: Place; cookies: readonly SetCookie[] }> {
    const { errand } = place
    let session: Session | undefined
    let cookies: readonly SetCookie[] = []
    let changes: Changes
    switch (outcome.kind) {
      case 'identified':
        changes = { username: outcome.username }
        break
      case 'way':
        changes = { way: outcome.way }
        break
      case 'enrolling':
        changes = { enrolling: outcome.factor }
        break
      case 'ended':
        changes = { outcome: outcome.outcome, by: place.session?.personId }
        break
      case 'enrolled':
      case 'proved': {
        const { proof } = outcome
        const personId = outcome.kind === 'proved' ? outcome.personId : place.session!.personId
        if (proof) {
          await mayBegin(personId, proof)
          const device = await devices.find(request.cookies.get(devices.cookieName), personId)
          const about = { request, current: place.current, device, personId, proof }
          ;({ session, cookies } = await establish(rooms, about))
        }
        const remember = outcome.kind === 'proved' && outcome.remember
        changes = {
          somebodyElse: false,
          // ATTACK: a password with the box of another page must not prolong what a second factor was given for
          raised: place.session !== undefined && (errand.raised || proof?.factor !== 'password'),
          ...(session ? { session: session.id } : {}),
          ...(remember ? { remember } : {}),
        }
      }
    }
    const changed = errands.changed(errand, changes)
    const next = await placeOf(request, changed, access.preview, session && { session })
    // ATTACK: switched off between the check and the start, the session must not wait for the day they come back
    if (session && !next.session) await sessions.end(session.id, 'person-disabled', 'system')
    return { place: next, cookies }
  }

  /** A password was checked by the person's directory; for everything else that directory is asked now. */
  async function mayBegin(personId: string, proof: Proof): Promise<void> {
    const person = proof.factor === 'password' ? await people.byId(personId) : await people.refresh(personId)
    if (!person || person === 'gone' || person.disabled)
      throw new Refusal('person-disabled', 'sign-in of somebody switched off')
  }

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

  function wayOf(scene: Scene, way: string | undefined): FactorKind {
    const known = possibleWays(scene).find((kind) => kind === way)
    if (!known) throw new Refusal('factor-unknown', 'way is not offered')
    return known
  }
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
