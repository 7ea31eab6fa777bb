/**
 * To another provider and back. The way back is bound twice: to what was asked (`state`, spent by the first answer), and to
 * the browser that went. ATTACK: without the second, whoever gets somebody to open an answer of their own signs them in as
 * themselves (RFC 6819 §4.4.1.8).
 */
import { type Instant, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Arrived } from '#directory'
import { type Answer, type PageRequest, redirect, type SetCookie } from '#http'
import { createDepartures } from './departures.ts'
import { demandOf, destinationOf } from './dispatch.ts'
import { browserHash, type Errand } from './errand.ts'
import type { Place, Places } from './place.ts'
import type { SigninRooms } from './rooms.ts'

interface Pending {
  readonly errand: string
  readonly directory: string
  readonly remembered: Readonly<Record<string, string>>
  readonly at: Instant
  /** What is given back when they return. */
  readonly counted?: string
}

export interface CameBack {
  readonly errand: Errand
  readonly arrived: Arrived
}

/** Somebody may have to find their telephone there. */
const LONGEST_AWAY = minutes(30)
const STATE = /^[A-Za-z0-9_-]{20,128}$/

export function createAway(rooms: SigninRooms, { isKnown }: Pick<Places, 'isKnown'>) {
  const { people, errands, storage, clock, audit, log } = rooms
  const { state } = storage
  const { federation } = people
  const departures = createDepartures({ state, clock, audit })
  const pendingKey = (value: string) => `away:${sha256(value)}`
  const formKey = (ticket: string) => `came-back:${sha256(ticket)}`

  /**
   * The answer that sends the browser there; throws what `begin` throws, and `provider-throttled`. `browser` is the value of its
   * cookie.
   */
  async function leaveFor(
    request: PageRequest,
    place: Place,
    browser: string,
    cookies: readonly SetCookie[],
  ): Promise<Answer> {
    const directory = destinationOf(place)!
    // ATTACK: each costs the provider a request of ours, and nobody has shown anything yet
    const stranger = !place.session && !(await isKnown(request, place))
    const counted = stranger ? await departures.leave(directory, request.address) : undefined
    const value = randomId(32)
    const { errand } = place
    const demand = demandOf(place)
    const hint = place.session ? undefined : (errand.username ?? errand.loginHint)
    const { url, remembered } = await federation.begin(directory, {
      state: value,
      ...(hint ? { loginHint: hint } : {}),
      ...demand,
    })
    const pending: Pending = {
      errand: errand.id,
      directory,
      remembered,
      at: clock.now(),
      ...(counted === undefined ? {} : { counted }),
    }
    await state.set(pendingKey(value), JSON.stringify(pending), { ttl: LONGEST_AWAY })
    const asked = { ...demand, ...(errand.cameFrom === directory ? { again: true as const } : {}) }
    await errands.change(errand, { goTo: undefined, routed: true, browser: browserHash(browser), asked })
    const answer = redirect(url, cookies)
    return { ...answer, headers: { ...answer.headers, 'referrer-policy': 'no-referrer' } }
  }

  /**
   * A form that the provider has the browser post comes without cookies (`SameSite=Lax`): it waits until the browser has
   * come on to the same address by itself.
   */
  async function posted(request: PageRequest, directory: string): Promise<Answer> {
    const form = await request.form()
    const value = form.get('RelayState') ?? form.get('state') ?? ''
    // ATTACK: nobody may fill the store with answers to questions that were never asked
    if (!STATE.test(value) || (await state.get(pendingKey(value))) === undefined) throw tooLate()
    if (!federation.takesForms(directory)) throw new Refusal('method-not-allowed', 'provider answers by redirects')
    const text = JSON.stringify([...form])
    // one answer to each question, the first: however many are posted, one is kept
    await state.add(formKey(value), text, { ttl: minutes(1) })
    return redirect(`/signin/back/${directory}?ticket=${value}`)
  }

  /** Undefined where this is nobody's answer: unknown, spent, too late, or of another browser. */
  async function comeBack(
    request: PageRequest,
    directory: string,
    browser: string | undefined,
  ): Promise<CameBack | { readonly errand: Errand; readonly trouble: Refusal } | undefined> {
    const value = request.query.get('ticket') ?? request.query.get('state') ?? ''
    const text = STATE.test(value) ? await state.get(pendingKey(value)) : undefined
    const pending: Pending | undefined = text === undefined ? undefined : JSON.parse(text)
    const errand = pending && (await errands.find(pending.errand))
    // ATTACK: looked at before it is spent, or whoever sees it on its way could spend it for the one it belongs to
    if (!errand || browser === undefined || errand.browser !== browserHash(browser)) return undefined
    // what has come to its end is not begun again by an answer that comes late, for whomever it is
    if (errand.outcome) return undefined
    if ((await state.take(pendingKey(value))) === undefined) return undefined
    const form = await formOf(request)
    try {
      // ATTACK: mix-up: the answer of one provider must not be taken for that of another
      if (pending.directory !== directory) throw new Refusal('upstream-refused', 'answer came to another provider')
      const arrived = await federation.finish(directory, { url: request.url, form }, pending.remembered)
      if (pending.counted !== undefined) await departures.cameBack(pending.counted)
      return { errand, arrived }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { errand, trouble: await noted(error, directory, request) }
    }
  }

  async function formOf(request: PageRequest): Promise<ReadonlyMap<string, string>> {
    const ticket = request.query.get('ticket')
    const text = ticket && STATE.test(ticket) ? await state.take(formKey(ticket)) : undefined
    return new Map(text === undefined ? [] : (JSON.parse(text) as [string, string][]))
  }

  /** The cause is for the administrator, under the reference that the person is shown. */
  async function noted(refusal: Refusal, directory: string, request: PageRequest): Promise<Refusal> {
    log.warn(
      'upstream-refused',
      { request: request.id, directory, code: refusal.code, detail: refusal.detail },
      refusal.cause,
    )
    await audit.record('upstream-refused', fieldsOf(refusal, directory))
    return refusal
  }

  const notedSeldom = async (refusal: Refusal, directory: string, request: PageRequest): Promise<void> =>
    noteSeldom({ log, audit, storage }, refusal, directory, request.id)

  return { leaveFor, posted, comeBack, noted, notedSeldom }
}

/**
 * The log always says it, the trail once a minute.
 * ATTACK: what strangers can have refused without end must not fill the trail.
 */
export async function noteSeldom(
  { log, audit, storage }: Pick<SigninRooms, 'log' | 'audit' | 'storage'>,
  refusal: Refusal,
  directory: string,
  request: string,
): Promise<void> {
  log.warn('upstream-refused', { request, directory, code: refusal.code, detail: refusal.detail }, refusal.cause)
  const first = await storage.state.add(`upstream-noted:${directory}`, '', { ttl: minutes(1) })
  if (first) await audit.record('upstream-refused', fieldsOf(refusal, directory))
}

const fieldsOf = (refusal: Refusal, directory: string) => ({
  actor: 'system',
  subject: refusal.subject,
  reason: `${directory}${faultOf(refusal)}`,
})

/** The word that the kind of directory has for the cause, where it has one. */
const faultOf = ({ cause }: Refusal): string =>
  cause instanceof Error && 'fault' in cause && typeof cause.fault === 'string' ? `:${cause.fault}` : ''

export const tooLate = () => new Refusal('conversation-expired', 'answer to nothing that was asked')
