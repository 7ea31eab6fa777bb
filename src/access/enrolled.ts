/** As what a browser is enrolled: looked up where a rule in force asks for it, and nowhere else. */
import type { Devices, Enrolled, Session } from '#sessions'
import type { LivePolicies } from './live.ts'

export interface EnrolledLookup {
  /** Of the browser that brings these cookies. One without the cookie is known not to be enrolled, and costs no read. */
  byCookies(cookies: ReadonlyMap<string, string>): Promise<Enrolled>
  /** Of the browser in which this person was seen last: one that was revoked since is known not to be enrolled. */
  ofSession(session: Session | undefined): Promise<Enrolled>
}

export function createEnrolledLookup(rooms: {
  readonly policies: LivePolicies
  readonly devices: Pick<Devices, 'enrolled' | 'enrolledCookieName'>
}): EnrolledLookup {
  const { enrolled, enrolledCookieName } = rooms.devices
  const isAsked = () => rooms.policies.current().needs.has('enrolment')
  return {
    async byCookies(cookies) {
      const cookie = cookies.get(enrolledCookieName)
      if (cookie === undefined) return null
      return isAsked() ? enrolled.find(cookie) : undefined
    },
    async ofSession(session) {
      const id = session?.enrolledId
      return typeof id === 'string' ? (isAsked() ? enrolled.byId(id) : undefined) : id
    },
  }
}
