/**
 * What is over before its time, because its client, the person, the session, the grant or the key behind it is: found by nobody
 * from that moment on, whether it is asked for (RFC 7662), shown, exchanged or refreshed.
 */
import type { Provider } from 'oidc-provider'
import { type Revocable, type Revocations, type RevokedSet, type Whence, whenceOf } from '#apis'
import type { App, Catalog } from '#catalog'
import { type Clock, hours } from '#core/clock'

/** What of a token, a refresh token or a code of the engine's is looked at. */
interface Issued {
  readonly kind: string
  readonly jti: string
  readonly iat?: number
  readonly clientId?: string
  readonly accountId?: string
  readonly sessionUid?: string
  readonly grantId?: string
  readonly extra?: Whence
}

const secondOf = (at: number): number => Math.floor(at / 1000)

/** They show themselves: what they were got with matters. Others have to come with their client, as it is now. */
const BEARERS: ReadonlySet<string> = new Set(['AccessToken', 'ClientCredentials'])

/**
 * The clocks of two processes may be apart, and nobody waits for an app that was registered by the one that is ahead. What another
 * app of the same name got within that time is over all the same: its end is remembered for longer than this.
 */
const APART = hours(1)

/** `iat` is in whole seconds: of one that came in the very second of the end nobody knows whether it came before or after. */
export function isOver(issued: Issued, app: App | undefined, revoked: RevokedSet, clock: Clock): boolean {
  if (!app) return true
  const { partner, tokensFrom, createdAt } = app
  const { iat = 0 } = issued
  if (partner?.endsAt !== undefined && partner.endsAt <= clock.now()) return true
  if (tokensFrom !== undefined && iat * 1000 < tokensFrom) return true
  // of another one that had its name
  return iat < secondOf(createdAt - APART) || revoked.has(asRevocable(issued))
}

function asRevocable({
  kind,
  jti,
  iat = 0,
  clientId = '',
  accountId,
  sessionUid,
  grantId,
  extra = {},
}: Issued): Revocable {
  const { key, grant = grantId, origin } = whenceOf(extra)
  return {
    id: jti,
    client: BEARERS.has(kind) ? clientId : '',
    subject: accountId ?? clientId,
    issuedAt: iat * 1000,
    ...(sessionUid === undefined ? {} : { session: sessionUid }),
    ...(grant === undefined ? {} : { grant }),
    ...(key === undefined ? {} : { key }),
    ...(origin === undefined ? {} : { origin }),
  }
}

export interface EndedRooms {
  readonly catalog: Pick<Catalog, 'apps'>
  readonly revocations: Pick<Revocations, 'current'>
  readonly clock: Clock
}

/** Seconds: so many ends of the same in one second, and what comes then is over at once. */
const MOST_LATER = 5

/**
 * What ends in whole seconds would be over from its first moment where the end was in the very second: of a program that was
 * ended and resumed, or has a new secret. It begins with the next second instead; undefined: it begins now. To be asked before
 * it is judged, so that what is on its way when an end comes stays over.
 */
export function createStarting({ catalog, revocations, clock }: EndedRooms) {
  return async (token: object): Promise<number | undefined> => {
    const set = await revocations.current()
    const app = await catalog.apps.find((token as Issued).clientId ?? '')
    const end = set.endOf(asRevocable(token as Issued))
    const first = Math.max(end === undefined ? 0 : secondOf(end) + 1, Math.ceil((app?.tokensFrom ?? 0) / 1000))
    const now = secondOf(clock.now())
    return first > now && first <= now + MOST_LATER ? first : undefined
  }
}

/**
 * INVARIANT: looked at when a token is looked up, so that none lives on that was on its way when what it rests on ended. Both
 * are in memory, and every process sees a change with its next request.
 */
export function findNothingEnded(engine: Provider, { catalog, revocations, clock }: EndedRooms): void {
  const { AccessToken, ClientCredentials, RefreshToken } = engine
  const codes = [engine.AuthorizationCode, engine.DeviceCode, engine.BackchannelAuthenticationRequest]
  for (const model of [AccessToken, ClientCredentials, RefreshToken, ...codes]) {
    const Model = model as unknown as { find(...asked: unknown[]): Promise<Issued | undefined> }
    const { find } = Model
    Model.find = async (...asked) => {
      const issued = await find.apply(Model, asked)
      if (!issued) return undefined
      const app = await catalog.apps.find(issued.clientId!)
      return isOver(issued, app, await revocations.current(), clock) ? undefined : issued
    }
  }
}
