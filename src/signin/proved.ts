/** From a proof to a session: start, raise, or replace the one of somebody else; and what the device then knows. */
import type { Access } from '#access'
import type { Audit } from '#audit'
import { type Clock, days } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { PageRequest, SetCookie } from '#http'
import {
  DEVICE_COOKIE_AGE,
  DEVICE_REVOKED,
  type Device,
  type Devices,
  type Enrolled,
  type Proof,
  type Session,
  type Sessions,
} from '#sessions'

export interface Established {
  readonly session: Session
  readonly cookies: readonly SetCookie[]
}

/** `current` is the session of this browser, whoever it belongs to. */
export async function establish(
  rooms: { sessions: Sessions; devices: Devices; audit: Audit; access: Pick<Access, 'memory'> },
  about: {
    request: PageRequest
    current: Session | undefined
    device: Device | undefined
    enrolled: Enrolled
    personId: string
    proof: Proof
  },
): Promise<Established> {
  const { sessions, devices, audit } = rooms
  const { request, current, personId, proof, device } = about
  if (current?.personId === personId) {
    const raised = await sessions.raise(current, [proof])
    return { session: raised.session, cookies: [{ name: sessions.cookieName, value: raised.cookie }] }
  }
  // two people in one browser: the first one's session ends before the second one's begins
  if (current) await sessions.end(current.id, 'replaced', personId)
  // where no rule asks nobody has looked, and yet the session ends when the device is revoked
  const found = about.enrolled ?? (await devices.enrolled.find(request.cookies.get(devices.enrolledCookieName)))
  const enrolled = found ?? about.enrolled
  const userAgent = request.headers['user-agent']?.slice(0, 256)
  const started = await sessions.start({
    personId,
    proofs: [proof],
    address: request.address,
    enrolled,
    ...(device ? { deviceId: device.id } : {}),
    ...(userAgent ? { userAgent } : {}),
  })
  // ATTACK: revoked while the password was checked, the device would keep a session that nobody ends
  if (enrolled && !(await devices.enrolled.byId(enrolled.id))) {
    await sessions.end(started.session.id, DEVICE_REVOKED, 'system')
    throw new Refusal('device-unknown', 'revoked while somebody signed in on it')
  }
  // before anything is decided: a rule on frequent sign-ins looks at this one as well
  await rooms.access.memory.count('sign_ins', personId)
  await audit.record('person-signed-in', {
    actor: personId,
    subject: personId,
    session: started.session.id,
    factor: proof.factor,
  })
  return { session: started.session, cookies: [{ name: sessions.cookieName, value: started.cookie }] }
}

/**
 * Makes this browser known for the person, who has just met what the policy asked. `trustDays`: the rule spares this
 * device the second factor for so long, and the person ticked the box in the conversation in which it was given.
 */
export async function rememberDevice(
  rooms: { devices: Devices; clock: Clock },
  about: {
    request: PageRequest
    device: Device | undefined
    personId: string
    label: string
    trustDays: number | undefined
  },
): Promise<readonly SetCookie[]> {
  const { devices, clock } = rooms
  const { request, device, personId, label, trustDays } = about
  if (device && trustDays === undefined) return []
  const until = trustDays === undefined ? {} : { until: clock.now() + days(trustDays) }
  const { cookie } = await devices.remember(request.cookies.get(devices.cookieName), personId, { label, ...until })
  return [{ name: devices.cookieName, value: cookie, maxAge: DEVICE_COOKIE_AGE }]
}

/** Somebody has signed in on an enrolled device: its cookie is given anew, because no browser keeps one for ever. */
export async function keepEnrolled(
  { devices }: { devices: Devices },
  request: PageRequest,
  enrolled: Enrolled,
): Promise<readonly SetCookie[]> {
  const value = request.cookies.get(devices.enrolledCookieName)
  if (!enrolled || value === undefined) return []
  await devices.enrolled.seen(enrolled)
  return [{ name: devices.enrolledCookieName, value, maxAge: DEVICE_COOKIE_AGE }]
}
