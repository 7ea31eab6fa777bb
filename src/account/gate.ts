/** The gate in front of every page: who is there, whether they may, and where they are sent if not. */
import type { Question } from '#access'
import { type Instant, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import type { Person } from '#directory'
import { type Answer, type PageRequest, type Route, redirect, type SetCookie } from '#http'
import type { Messages, Notice, PageOptions, View } from '#pages'
import type { Device, Enrolled, Session } from '#sessions'
import type { NewErrand } from '#signin'
import type { AccountOptions } from './options.ts'

/** `change` is everything that would help a thief to stay: it wants fresh proof, and a second factor where there is one. */
export type Need = 'see' | 'change'

/** Somebody who passed. Handlers get nothing else, so none can forget to ask. */
export interface Visit {
  readonly request: PageRequest
  readonly session: Session
  readonly person: Person
  /** This browser, where the person is known on it. */
  readonly device: Device | undefined
  readonly enrolled: Enrolled
  readonly messages: Messages
  /** When what is asked for here began: proofs from then on were given for it (`within: 0s`). */
  readonly startedAt: Instant
  /** To prove more for something else than this page, and back to this path of ours. */
  prove(about: Pick<NewErrand, 'kind' | 'app' | 'wanted'>, path: string): Promise<Answer>
  /** A path of ours with what the errand has proved still counting there. */
  on(path: string): string
  /** A page of somebody who is signed in. */
  page(view: View, options?: PageOptions & { readonly current?: 'apps' | 'account' }): Answer
  /** To the account page, with what happened; the errand's proof is used up. */
  done(notice: Notice, cookies?: readonly SetCookie[]): Promise<Answer>
}

/** INVARIANT: a closed list. What stands in the address chooses a sentence and never is one. */
export const NOTICES: readonly Notice[] = [
  'passkey-added',
  'totp-added',
  'recovery-codes-made',
  'password-changed',
  'factor-removed',
  'session-ended',
  'sessions-ended',
  'device-forgotten',
  'consent-withdrawn',
]

/** So long is a proof fresh enough to change something. */
const FRESH = minutes(10)
const NAV = { apps: '/', account: '/account', signOut: '/signout' } as const
/** `policies/account.yaml` tells the two apart by this: `account` is changing how one signs in. */
const KIND = { see: 'app', change: 'account' } as const satisfies Record<Need, Question['kind']>

export type Gate = (need: Need, handle: (visit: Visit) => Promise<Answer>, comeBack?: string) => Route['handle']

export function createGate(options: AccountOptions): Gate {
  const { clock, access, people, factors, sessions, devices, signin, presenter } = options

  /** What a change asks on top of the policy. */
  async function wantedFor(personId: string): Promise<NonNullable<Question['wanted']>> {
    const enrolled = await factors.enrolled(personId)
    // an empty list of codes is no second factor: nobody could ever give it
    const second = enrolled.some(({ kind, left }) => kind !== 'password' && left !== 0)
    // ATTACK: with a stolen password one must not add a factor of one's own, or take the person's away
    return { max_age: FRESH / 1000, ...(second ? { strength: ['two-factors'] } : {}) }
  }

  /** The errand that this request comes back from: its proofs were given for this very request (`within: 0s`). */
  async function errandBehind(request: PageRequest, session: Session) {
    const id = request.query.get('errand')
    // ATTACK: an errand begun long ago elsewhere would make old proofs count as new; so it names its session
    if (!id?.endsWith(mark(session))) return undefined
    const newest = Math.max(...session.authenticated.map((proof) => proof.at))
    return clock.now() - newest <= FRESH ? signin.find(id) : undefined
  }

  return (need, handle, comeBack) => async (request) => {
    const returnTo = comeBack ?? request.path
    const about = { kind: KIND[need], policy: 'account' } as const
    const session = await sessions.find(request.cookies.get(sessions.cookieName))
    if (!session) return redirect(await signin.begin({ ...about, returnTo }))

    const person = await people.byId(session.personId)
    const device = await devices.find(request.cookies.get(devices.cookieName), session.personId)
    const enrolled = await access.enrolled.byCookies(request.cookies)
    const errand = await errandBehind(request, session)
    // whoever turned back on the way to a change stays on the account page instead of being asked again
    const turnedBack = errand?.outcome === 'refused' || errand?.outcome === 'unmet'
    if (turnedBack && need === 'change') return redirect('/account')
    const finished = errand?.outcome === 'done' ? errand : undefined
    const startedAt = finished?.startedAt ?? clock.now()
    const wanted = need === 'change' ? { wanted: await wantedFor(session.personId) } : {}
    const { address } = request
    const seen = { session, person, device, enrolled, address }
    // before the question: the limits of its rule count from what the person does now
    await sessions.touch(session, { deviceId: device?.id, enrolled, address })
    const verdict = await access.ask({ ...about, ...wanted, ...seen, startedAt })
    // INVARIANT: nothing is shown and nothing is changed without "allow"
    const prove = async (about: Pick<NewErrand, 'kind' | 'app' | 'policy' | 'wanted'>, path: string) => {
      const id = `${randomId()}${mark(session)}`
      return redirect(await signin.begin({ ...about, id, returnTo: `${path}?errand=${id}` }))
    }
    if (verdict.outcome !== 'allow' || !verdict.person) return prove({ ...about, ...wanted }, returnTo)

    return handle({
      request,
      session,
      person: verdict.person,
      device,
      enrolled,
      messages: presenter.messages(request),
      startedAt,
      prove,
      on: (path) => (finished ? `${path}?errand=${finished.id}` : path),
      page: (view, { current, ...rest } = {}) =>
        presenter.page(request, () => view, {
          nav: { ...NAV, ...(current ? { current } : {}) },
          isolated: true,
          ...rest,
        }),
      async done(notice, cookies) {
        if (finished) await signin.end(finished.id)
        return redirect(`/account?done=${notice}`, cookies)
      },
    })
  }
}

/** The end of the ids of all errands that were begun in this session. */
const mark = (session: Session): string => sha256(`account ${session.id}`).slice(0, 22)
