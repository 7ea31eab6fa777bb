/** What the buttons of the account page do: remove, end, forget, take back. */
import { Refusal } from '#core/refusal'
import type { RefusalCode } from '#core/refusals'
import { type Answer, redirect } from '#http'
import type { Visit } from './gate.ts'
import type { AccountOptions } from './options.ts'
import type { Overview } from './overview.ts'

/** An id as our rooms make them; anything else names nothing. */
function idOf({ request }: Visit, unknown: RefusalCode): string {
  const id = request.params['id'] ?? ''
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Refusal(unknown, 'malformed id')
  return id
}

export function createEndings(options: AccountOptions, overview: Overview) {
  const { audit, consents, devices, factors, revoke, sessions, signin } = options

  return {
    async removeFactor(visit: Visit): Promise<Answer> {
      const { person, session } = visit
      try {
        await factors.remove(person.id, idOf(visit, 'factor-unknown'), person.id)
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'last-factor') throw error
        return overview.show(visit, error)
      }
      // whoever got in with it, on a phone that is lost, is out
      await sessions.endAll(person.id, 'factor-removed', person.id, session.id)
      await revoke?.(person.id)
      return visit.done('factor-removed')
    },

    async endSession(visit: Visit): Promise<Answer> {
      const { person, session } = visit
      const id = idOf(visit, 'session-unknown')
      if (id === session.id) return redirect('/signout')
      // ATTACK: ids of sessions are no secret; somebody else's is as unknown as one that never was
      const other = await sessions.byId(id)
      if (other?.personId !== person.id) throw new Refusal('session-unknown', 'not a session of this person')
      await sessions.end(id, 'ended-by-person', person.id)
      return visit.done('session-ended')
    },

    async endOtherSessions(visit: Visit): Promise<Answer> {
      const { person, session } = visit
      await sessions.endAll(person.id, 'ended-by-person', person.id, session.id)
      return visit.done('sessions-ended')
    },

    /** This one as well, and with all of them what apps were given to go on without a session. */
    async endEverything({ person, request, session }: Visit): Promise<Answer> {
      const answer = await signin.signOut.endAll(request, session)
      await revoke?.(person.id)
      return answer
    },

    async forgetDevice(visit: Visit): Promise<Answer> {
      await devices.forget(visit.person.id, idOf(visit, 'device-unknown'), visit.person.id)
      return visit.done('device-forgotten')
    },

    async withdrawConsent(visit: Visit): Promise<Answer> {
      const { person, request } = visit
      const app = request.params['app'] ?? ''
      const agreed = (await consents?.ofPerson(person.id)) ?? []
      if (!agreed.some((one) => one.app === app)) throw new Refusal('app-unknown', 'nothing was agreed with it')
      // first nothing new, then nothing old: the other way round an app could fetch tokens in between
      await consents!.withdraw(person.id, app)
      await revoke?.(person.id, app)
      await audit.record('consent-withdrawn', { actor: person.id, subject: person.id, app })
      return visit.done('consent-withdrawn')
    },
  }
}
