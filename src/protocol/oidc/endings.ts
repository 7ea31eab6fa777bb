/**
 * What ends with a session or a person: sign-outs go to the outbox, grants and tokens are revoked. Registered where the
 * rooms are opened, so that the command line ends as much as the server does.
 */
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { People } from '#directory'
import {
  DEVICE_REVOKED,
  type Devices,
  DIRECTORY_BACK,
  type LogoutRow,
  type Outbox,
  type Session,
  type Sessions,
} from '#sessions'
import type { State } from '#storage'
import { grantGroup, grantKey, grantsOf } from './grant-groups.ts'

export interface Endings {
  /** Ends every grant and token of a person or, with `app`, of this person at one app. */
  revoke(personId: string, app?: string): Promise<void>
  /** Ends one grant and all its tokens. */
  revokeGrant(grantId: string): Promise<void>
}

export interface EndingsOptions {
  readonly state: State
  readonly audit: Audit
  readonly sessions: Sessions
  readonly devices: Pick<Devices, 'enrolled'>
  readonly people: People
  readonly outbox: Outbox
  readonly catalog: Pick<Catalog, 'apps'>
}

export function attachEndings(options: EndingsOptions): Endings {
  const { state, audit, sessions, devices, people, outbox, catalog } = options

  async function revokeGrant(grantId: string): Promise<void> {
    await state.delete(grantKey(grantId))
    await state.deleteGroup(grantGroup(grantId))
  }

  async function revoke(personId: string, app?: string): Promise<void> {
    for (const { value } of await state.group(grantsOf(personId))) {
      const grant = JSON.parse(value) as { jti: string; clientId: string }
      if (app === undefined || grant.clientId === app) await revokeGrant(grant.jti)
    }
    await audit.record('tokens-revoked', { actor: 'system', subject: personId, ...(app ? { app } : {}) })
  }

  /** Whatever was given to apps in this session, also what would outlive it (`offline_access`). */
  async function revokeOf({ id, personId }: Session): Promise<void> {
    for (const { value } of await state.group(grantsOf(personId))) {
      const { jti } = JSON.parse(value) as { jti: string }
      const issued = (await state.group(grantGroup(jti))).map((one) => JSON.parse(one.value) as { sessionUid?: string })
      if (issued.some(({ sessionUid }) => sessionUid === id)) await revokeGrant(jti)
    }
    await audit.record('tokens-revoked', { actor: 'system', subject: personId, session: id })
  }

  sessions.onEnd(async ({ session, reason }) => {
    // ATTACK: an app on a stolen tablet, or opened with an old password, may hold a token that needs no session
    if (reason === DEVICE_REVOKED || reason === DIRECTORY_BACK) await revokeOf(session)
    const rows = await logoutRows(session, catalog)
    if (rows.length > 0) await outbox.add(rows)
  })
  devices.enrolled.onRevoked(async (deviceId, by) => void (await sessions.endOn(deviceId, DEVICE_REVOKED, by)))
  people.onDisabled(async (personId) => {
    await sessions.endAll(personId, 'person-disabled', 'system')
    await revoke(personId)
  })
  return { revoke, revokeGrant }
}

/** The apps that have to hear of a session's end. */
async function logoutRows(session: Session, catalog: Pick<Catalog, 'apps'>): Promise<LogoutRow[]> {
  const rows: LogoutRow[] = []
  for (const { app, sid } of session.apps) {
    const registered = await catalog.apps.find(app)
    if (registered?.oidc?.backchannelLogoutUri)
      rows.push({ app, subject: session.personId, sid, event: 'backchannel-logout' })
  }
  return rows
}
