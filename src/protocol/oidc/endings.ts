/**
 * What ends with a session or a person: sign-outs go to the outbox, grants and tokens are revoked. Registered where the
 * rooms are opened, so that the command line ends as much as the server does.
 */
import { createAccessTokens, type Revocations } from '#apis'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { People } from '#directory'
import type { Keys } from '#keys'
import { DEVICE_REVOKED, type Devices, DIRECTORY_BACK, type Session, type Sessions, type SignOuts } from '#sessions'
import type { State } from '#storage'
import { deleteIssued, engineSessionKey, grantKey, grantsOf, issuedUnder, objectKey } from './grant-groups.ts'
import { LONGER } from './jwt-revocation.ts'
import { signOutWay } from './sign-out-way.ts'

export interface Endings {
  /** Ends every grant and token of a person or, with `app`, of this person at one app. */
  revoke(personId: string, app?: string): Promise<void>
  /** Ends every grant and token of everybody, also of those who are not signed in; answers how many people had any. */
  revokeAll(): Promise<number>
  /** Ends one grant and all its tokens. */
  revokeGrant(grantId: string, by?: string): Promise<void>
  /** Ends what was given in a session, which itself goes on, and says whether there is such a session. */
  revokeOfSession(sessionId: string, by: string): Promise<boolean>
  /**
   * Ends a single access token, by itself or by its `jti`. Answers its id; undefined for a text that has our form and is no
   * token of ours, or none any more.
   */
  revokeToken(text: string, by: string): Promise<string | undefined>
  /**
   * One person becomes another: the sessions live on, and what apps were given for `from` ends. Apps are told that the
   * person has gone, and find at the next opening who it is now. Calling it again is safe.
   */
  become(from: string, into: string): Promise<void>
}

export interface EndingsOptions {
  readonly issuer: string
  readonly state: State
  readonly durable: State
  readonly clock: Clock
  readonly audit: Audit
  readonly keys: Pick<Keys, 'signing'>
  readonly revocations: Revocations
  readonly sessions: Sessions
  readonly devices: Pick<Devices, 'enrolled'>
  readonly people: People
  readonly signOuts: SignOuts
  readonly catalog: Pick<Catalog, 'apps'>
}

/** People. */
const AT_ONCE = 1000

export function attachEndings(options: EndingsOptions): Endings {
  const { issuer, state, durable, audit, sessions, devices, people, signOuts, catalog, revocations } = options
  const tokens = createAccessTokens(options)

  async function revokeGrant(grantId: string, by = 'system'): Promise<void> {
    const stored = await durable.get(grantKey(grantId))
    const app = stored && (await catalog.apps.find((JSON.parse(stored) as { clientId: string }).clientId))
    await durable.delete(grantKey(grantId))
    await deleteIssued(options, grantId)
    // what is kept nowhere has to be told of: tokens of APIs, and those that were exchanged for them
    if (!app || Object.keys(app.oidc?.apis ?? {}).length > 0)
      await revocations.revoke({ kind: 'grant', id: grantId }, by)
  }

  async function revokeGrants(personId: string, app?: string): Promise<number> {
    let count = 0
    for (const { value } of await durable.group(grantsOf(personId))) {
      const grant = JSON.parse(value) as { jti: string; clientId: string }
      if (app !== undefined && grant.clientId !== app) continue
      await revokeGrant(grant.jti)
      count++
    }
    return count
  }

  async function revoke(personId: string, app?: string): Promise<void> {
    await revokeGrants(personId, app)
    await audit.record('tokens-revoked', { actor: 'system', subject: personId, ...(app ? { app } : {}) })
  }

  async function revokeAll(): Promise<number> {
    let holders = 0
    let after: string | undefined
    do {
      const some = await people.list({ limit: AT_ONCE, ...(after === undefined ? {} : { after }) })
      for (const { id } of some) {
        const count = await revokeGrants(id)
        if (count === 0) continue
        holders++
        await audit.record('tokens-revoked', { actor: 'system', subject: id, count })
      }
      after = some.length < AT_ONCE ? undefined : some.at(-1)?.id
    } while (after !== undefined)
    return holders
  }

  /** Whatever was given to apps in this session, also what would outlive it (`offline_access`). */
  async function revokeOf({ id, personId }: Session): Promise<void> {
    for (const { value } of await durable.group(grantsOf(personId))) {
      const { jti } = JSON.parse(value) as { jti: string }
      const issued = (await issuedUnder(options, jti)).map((one) => JSON.parse(one.value) as { sessionUid?: string })
      if (issued.some(({ sessionUid }) => sessionUid === id)) await revokeGrant(jti)
    }
    await audit.record('tokens-revoked', { actor: 'system', subject: personId, session: id })
  }

  async function revokeOfSession(id: string, by: string): Promise<boolean> {
    const session = await sessions.byId(id)
    if (!session) return false
    await revokeOf(session)
    await revocations.revoke({ kind: 'session', id }, by)
    return true
  }

  async function revokeToken(text: string, by: string): Promise<string | undefined> {
    const isJwt = text.includes('.')
    const token = isJwt ? tokens.read(text) : undefined
    if (typeof token === 'string') return undefined
    const id = token?.id ?? text
    for (const kind of ['AccessToken', 'ClientCredentials']) await state.delete(objectKey(kind, id))
    await revocations.revoke({ kind: 'token', id, ...(token && { until: token.expiresAt + LONGER }) }, by)
    return id
  }

  signOuts.add(signOutWay({ issuer, catalog }))
  sessions.onEnd(async ({ session, reason }) => {
    // ATTACK: an app on a stolen tablet, or opened with an old password, may hold a token that needs no session
    if (reason === DEVICE_REVOKED || reason === DIRECTORY_BACK) await revokeOf(session)
  })
  devices.enrolled.onRevoked(async (deviceId, by) => void (await sessions.endOn(deviceId, DEVICE_REVOKED, by)))
  people.onDisabled(async (personId) => {
    await sessions.endAll(personId, 'person-disabled', 'system')
    await revoke(personId)
  })

  async function leave(session: Session): Promise<void> {
    // the session goes on as somebody else's, so its browser is never asked to tell them
    for (const app of await signOuts.tell({ session, reason: 'person-merged' }))
      await audit.record('app-not-told', {
        actor: 'system',
        subject: session.personId,
        session: session.id,
        app,
        reason: 'person-merged',
      })
    await state.delete(engineSessionKey(session.id))
  }

  async function become(from: string, into: string): Promise<void> {
    await sessions.move(from, into, leave)
    // ATTACK: what an app was given for the earlier id must not go on working beside what it gets for the other
    const count = await revokeGrants(from)
    if (count > 0)
      await audit.record('tokens-revoked', { actor: 'system', subject: from, reason: 'person-merged', count })
  }
  return { revoke, revokeAll, revokeGrant, revokeOfSession, revokeToken, become }
}
