/** Who stands behind a request: found once. */
import type { Access } from '#access'
import type { PageRequest } from '#http'
import type { Device, Devices, Enrolled, Session, Sessions } from '#sessions'

export interface Visitor {
  readonly session: Session | undefined
  readonly device: Device | undefined
  readonly enrolled: Enrolled
  readonly address: string
}

export async function visitorOf(
  { cookies, address }: PageRequest,
  {
    access,
    sessions,
    devices,
  }: {
    access: Pick<Access, 'enrolled'>
    sessions: Pick<Sessions, 'find' | 'touch' | 'cookieName'>
    devices: Pick<Devices, 'find' | 'cookieName'>
  },
): Promise<Visitor> {
  const session = await sessions.find(cookies.get(sessions.cookieName))
  const device = session ? await devices.find(cookies.get(devices.cookieName), session.personId) : undefined
  const enrolled = await access.enrolled.byCookies(cookies)
  if (session) await sessions.touch(session, { deviceId: device?.id, enrolled, address })
  return { session, device, enrolled, address }
}
