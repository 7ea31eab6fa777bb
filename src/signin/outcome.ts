/** What a form amounted to, carried out: sessions, the errand, and the way back once all that was asked has been met. */
import { Refusal } from '#core/refusal'
import type { SeenDevice } from '#directory'
import { type Answer, type PageRequest, redirect, type SetCookie } from '#http'
import { browserName } from '#pages'
import type { Proof, Session } from '#sessions'
import { nextStep, rememberDays } from './dispatch.ts'
import type { Changes } from './errand.ts'
import { keepSignIn } from './past.ts'
import type { Place, Places } from './place.ts'
import { establish, keepEnrolled, rememberDevice } from './proved.ts'
import type { SigninRooms } from './rooms.ts'
import type { Outcome } from './steps/step.ts'

/** What a directory itself has checked. */
const FIRST: readonly (string | undefined)[] = ['password', 'upstream']

export function createOutcomes(rooms: SigninRooms, { placeOf, isEnrolled }: Pick<Places, 'placeOf' | 'isEnrolled'>) {
  const { access, people, sessions, devices, presenter, errands, upstreamSessions } = rooms

  /** Back to where the errand came from; that door asks again. */
  async function leave(request: PageRequest, place: Place, cookies: readonly SetCookie[]): Promise<Answer> {
    const { errand, session, verdict, device, enrolledAs } = place
    if (!session || verdict.outcome !== 'allow') {
      const unmet = errand.outcome === 'refused' && (await asksTooMuch(request, place))
      await errands.save(unmet ? errands.changed(errand, { outcome: 'unmet' }) : errand)
      return redirect(errand.returnTo, cookies)
    }
    const trustDays = errand.remember && errand.raised ? rememberDays(verdict) : undefined
    const label = browserName(presenter.messages(request), request.headers['user-agent']) ?? ''
    // ATTACK: the password may be an old one by now; a device that became known by it would stay known
    const uncertain =
      session.authenticated.some(({ duringOutage }) => duringOutage) || verdict.facts.user?.outage !== undefined
    const known = uncertain
      ? []
      : await rememberDevice(rooms, { request, device, personId: session.personId, label, trustDays })
    const kept = await keepEnrolled(rooms, request, enrolledAs)
    await keepSignIn(rooms, place, session, request.address)
    await errands.save(errand.outcome ? errand : errands.changed(errand, { outcome: 'done' }))
    return redirect(errand.returnTo, [...cookies, ...known, ...kept])
  }

  /** Whether somebody came to the end for what the request asks, and would have been let in by the policy alone. */
  async function asksTooMuch(request: PageRequest, place: Place): Promise<boolean> {
    const errand = errands.changed(place.errand, { outcome: undefined })
    if (!errand.wanted || place.verdict.outcome !== 'challenge' || nextStep({ ...place, errand }) !== 'refused')
      return false
    const alone = await placeOf(request, errands.changed(errand, { wanted: undefined }), access.preview)
    return alone.verdict.outcome === 'allow'
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
        changes = { username: outcome.username, goTo: outcome.goTo, toRenew: undefined }
        break
      case 'to-renew':
        changes = { toRenew: outcome.because }
        break
      case 'renewed':
        changes = { toRenew: undefined }
        break
      case 'newcomer': {
        if (outcome.answer === 'create') {
          const { id: personId } = await people.federation.create(errand.arrived!)
          return carryOut(request, place, { kind: 'arrived', personId, arrived: errand.arrived! })
        }
        // ATTACK: whoever is signed in here already is not by that the one who came from there
        changes = { connecting: true, somebodyElse: true, username: undefined, way: undefined }
        break
      }
      case 'connect': {
        const { arrived } = errand
        if (outcome.agreed) {
          const { id: personId } = await people.federation.connect(arrived!, place.session!.personId)
          return carryOut(request, place, { kind: 'arrived', personId, arrived: arrived! })
        }
        changes = { arrived: undefined, connecting: undefined }
        const next = await placeOf(request, errands.changed(errand, changes), access.preview)
        return { place: next, cookies: [] }
      }
      case 'way':
        changes = { way: outcome.way }
        break
      case 'enrolling':
        changes = { enrolling: outcome.factor }
        break
      case 'ended':
        changes = { outcome: outcome.outcome, by: place.session?.personId }
        break
      case 'arrived':
      case 'enrolled':
      case 'proved': {
        const proof = outcome.kind === 'arrived' ? outcome.arrived.proof : outcome.proof
        const personId = outcome.kind === 'enrolled' ? place.session!.personId : outcome.personId
        if (proof) {
          const device = await devices.find(request.cookies.get(devices.cookieName), personId)
          const seen = { known: device !== undefined, enrolled: await isEnrolled(request, place) }
          const counted = await mayBegin(place, personId, proof, seen)
          const { current, enrolledAs: enrolled } = place
          const about = { request, current, device, enrolled, personId, proof: counted }
          ;({ session, cookies } = await establish(rooms, about))
          cookies = [...cookies, ...rooms.signOut.forget(request)]
          if (outcome.kind === 'arrived')
            await upstreamSessions.keep(session, outcome.arrived.directory, outcome.arrived.vouched.session)
        }
        const remember = outcome.kind === 'proved' && outcome.remember
        // ATTACK: what one person gave or ticked on this errand must not be taken for another's
        const same = place.session?.personId === personId
        changes = {
          somebodyElse: false,
          toRenew: undefined,
          // ATTACK: a password with the box of another page must not prolong what a second factor was given for
          raised: same && (errand.raised || !FIRST.includes(proof?.factor)),
          ...(same ? {} : { remember: undefined, enrolling: undefined, way: undefined }),
          ...(session ? { session: session.id } : {}),
          ...(remember ? { remember } : {}),
          ...(outcome.kind === 'arrived'
            ? { cameFrom: outcome.arrived.directory, arrived: undefined, connecting: undefined, username: undefined }
            : {}),
        }
      }
    }
    const changed = errands.changed(errand, changes)
    // nothing was given: policy says what it said before
    if (!session) return { place: { ...place, errand: changed }, cookies }
    const next = await placeOf(request, changed, access.preview, { session })
    // ATTACK: switched off between the check and the start, the session must not wait for the day they come back
    if (!next.session) await sessions.end(session.id, 'person-disabled', 'system')
    return { place: next, cookies }
  }

  /**
   * The person's own directory has just said who this is; for everything else it is asked now. Answers the proof, with a
   * mark where a provider could not be asked: what begins with it ends unless they sign in there when it is back.
   * ATTACK: whoever is gone from there must not come in by another provider that they are connected to.
   */
  async function mayBegin({ current }: Place, personId: string, proof: Proof, device: SeenDevice): Promise<Proof> {
    const known = await people.byId(personId)
    const asked = proof.factor === 'password' || (proof.factor === 'upstream' && proof.directory === known?.directory)
    const person = asked ? known : await people.refresh(personId, device)
    if (!person || person === 'gone' || person.disabled)
      throw new Refusal('person-disabled', 'sign-in of somebody switched off', { subject: personId })
    // what is added to a session from before takes nothing from what the provider said then
    const vouchedFor = current?.personId === personId && !current.authenticated.some(({ duringOutage }) => duringOutage)
    return !asked && !vouchedFor && (await people.isUnasked(person)) ? { ...proof, duringOutage: true } : proof
  }

  return { leave, carryOut }
}
