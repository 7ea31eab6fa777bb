/** On our own host: where a browser comes from an app that it has not opened yet, and goes back with a code. */
import type { Question } from '#access'
import { minutes } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { type Answer, type PageRequest, type Route, readPath, redirect } from '#http'
import type { Session } from '#sessions'
import { sidOf } from './identity.ts'
import type { AppKeys } from './keys-to-apps.ts'
import type { Openings } from './opening.ts'
import type { ForwardAuthOptions } from './options.ts'
import { CALLBACK } from './own-paths.ts'
import { ruleFor } from './rules.ts'
import { termsOf } from './verdicts.ts'

export const START = '/authz/start'
/** So long is what was given on the way still given for this opening. */
const FRESH = minutes(10)
const NOT_TOLD = { 'referrer-policy': 'no-referrer' } as const

export function createStart(
  rooms: ForwardAuthOptions & { readonly openings: Openings; readonly keysToApps: AppKeys },
): Route['handle'] {
  const { clock, catalog, diagnosis, access, people, sessions, devices, signin, openings, keysToApps } = rooms

  /** The errand that this request comes back from, where it was done in this very session. */
  async function errandBehind(request: PageRequest, app: string, session: Session | undefined) {
    const id = request.query.get('errand')
    const errand = id === null ? undefined : await signin.find(id)
    if (errand?.app !== app) return undefined
    // ATTACK: an errand that was done elsewhere, or long ago, must not make old proofs count as new
    const newest = Math.max(...(session?.authenticated ?? []).map(({ at }) => at))
    const done = errand.outcome === 'done' && session && errand.session === session.id && clock.now() - newest <= FRESH
    return { errand, done }
  }

  return async (request): Promise<Answer> => {
    const token = request.query.get('o')
    const opening = openings.read(token)
    if (!opening) throw new Refusal('conversation-expired', 'opening is not ours, or too old')
    const app = await catalog.apps.findNamed({ kind: 'host', name: opening.host })
    if (!app?.forwardAuth) throw new Refusal('app-unknown', 'host of an opening')

    const session = await sessions.find(request.cookies.get(sessions.cookieName))
    const behind = await errandBehind(request, app.id, session)
    // they turned back, or cannot give what is asked: asking again would go in circles
    const { outcome } = behind?.errand ?? {}
    if (outcome !== undefined && outcome !== 'done') throw new Refusal('access-refused', 'turned back')

    const person = session && (await people.byId(session.personId))
    const device = session && (await devices.find(request.cookies.get(devices.cookieName), session.personId))
    const enrolled = await access.enrolled.byCookies(request.cookies)
    const { address } = request
    if (session) await sessions.touch(session, { deviceId: device?.id, enrolled, address })
    const [raw = '', query = ''] = opening.uri.split('?', 2)
    const target = { ...opening, method: 'GET', secure: true, path: readPath(raw) ?? '/', query }
    const terms = termsOf(ruleFor(app.forwardAuth.rules, target, {}))
    const since = behind?.done ? behind.errand.startedAt : clock.now()
    const question: Question = {
      ...{ kind: 'app', app, ...terms, session, person, device, enrolled, address },
      startedAt: since,
      opens: true,
    }
    const verdict = await access.ask(question)
    if (verdict.outcome === 'allow' && verdict.person && session) {
      await diagnosis.opened({ app, session: session.id, request: request.id, via: 'forward-auth' })
      await sessions.addApp(session, { app: app.id, sid: sidOf(session, app), via: 'forward-auth' })
      const key = { session: session.id, person: verdict.person.id, app: app.id, origin: opening.origin, since }
      const code = await keysToApps.handOver(key, opening)
      const answer = redirect(`${opening.origin}${CALLBACK}?code=${code}`)
      return { ...answer, headers: { ...answer.headers, ...NOT_TOLD } }
    }
    const id = randomId()
    const returnTo = `${START}?o=${token}&errand=${id}`
    return redirect(
      await signin.begin({ id, kind: 'app', app: app.id, ...terms, returnTo, formTargets: [opening.origin] }),
    )
  }
}
