/** What a session is, and the arithmetic of its two ends. Nothing here reads or writes. */
import type { Instant, Millis } from '#core/clock'
import type { Enrolled } from './enrolled.ts'

/**
 * One factor that a person has given, with its time. The factors room makes them and this room keeps them whole; the
 * shape is written down again because neighbours are strangers, and because a session does not care which kinds exist.
 */
export interface Proof {
  readonly factor: string
  readonly at: Instant
  /** RFC 8176. */
  readonly amr: readonly string[]
  readonly userVerified?: boolean
  readonly hardware?: boolean
  readonly credential?: string
  /** Of a sign-in at another provider: which, what that is worth here, and whether it tells when it was. */
  readonly directory?: string
  readonly assurance?: string
  readonly ageUnknown?: true
  /** Compared with what was kept of it, because the person's directory could not be asked. */
  readonly duringOutage?: boolean
}

export interface SessionApp {
  readonly app: string
  /** The session id as this app was told it. */
  readonly sid: string
  /** The protocol by which it was opened; OpenID Connect where nothing is said. */
  readonly via?: 'oidc' | 'saml' | 'forward-auth'
  /** What the protocol has to know to tell it of the end. */
  readonly known?: string
}

export interface Session {
  /** Public and stable: never opens the session. */
  readonly id: string
  readonly personId: string
  readonly startedAt: Instant
  /** Exact to a minute: see `touch`. */
  readonly lastSeenAt: Instant
  /** First moment at which the session is over unless the person does something before. Never after `endsAt`. */
  readonly idleEndsAt: Instant
  /** First moment at which the session is over whatever happens. */
  readonly endsAt: Instant
  /** The newest proof of each factor. */
  readonly authenticated: readonly Proof[]
  /** Where the person was seen last: on which known device, and from which address. */
  readonly deviceId?: string
  /** On which enrolled device; `null`: on none. Absent where nobody looked. */
  readonly enrolledId?: string | null
  readonly address: string
  readonly userAgent?: string
  /** The apps that were opened with it and hear of its end. */
  readonly apps: readonly SessionApp[]
}

export interface Limits {
  /** How long without anything happening. */
  readonly idle?: Millis | undefined
  /** How long altogether, from the start. */
  readonly max?: Millis | undefined
}

/** How a session ended. It stays in the record until everybody who must know has been told. */
export interface Ended {
  /** Kebab-case: `signed-out`, `expired`, `person-disabled` … */
  readonly reason: string
  /** A person's id, `cli` or `system`. */
  readonly by: string
  readonly at: Instant
  /** Together with every other session of the person. */
  readonly everywhere?: true
}

/** The stored form. */
export interface Row {
  readonly session: Session
  readonly secretHash: string
  readonly idle: Millis
  readonly ended?: Ended
}

/** Undefined for a text that is no row: somebody flipped bytes, and a session that cannot be read opens nothing. */
export function parseRow(text: string): Row | undefined {
  // bytes that are no text are read as this sign, which nothing in a row can hold: headers are Latin-1, the rest is ours
  if (text.includes('\uFFFD')) return undefined
  try {
    const row = JSON.parse(text) as Row
    return typeof row.session.endsAt === 'number' && typeof row.secretHash === 'string' ? row : undefined
  } catch {
    return undefined
  }
}

/** First moment at which the session is over as things stand. */
export const endOf = (session: Session): Instant => Math.min(session.idleEndsAt, session.endsAt)

export const isAlive = (row: Row, now: Instant): boolean => row.ended === undefined && now < endOf(row.session)

/** The row as of something the person did `now`. INVARIANT: nothing prolongs a session past `endsAt`. */
export function seen(row: Row, now: Instant): Row {
  const idleEndsAt = Math.min(now + row.idle, row.session.endsAt)
  return { ...row, session: { ...row.session, lastSeenAt: now, idleEndsAt } }
}

/** Where somebody is seen: absent is a device that they are not known on. */
export interface Place {
  readonly deviceId: string | undefined
  readonly enrolled?: Enrolled
  readonly address: string
}

const enrolledIdOf = (enrolled: Enrolled): Session['enrolledId'] => (enrolled === null ? null : enrolled?.id)

export const isAt = (session: Session, { deviceId, enrolled, address }: Place): boolean =>
  session.deviceId === deviceId && session.enrolledId === enrolledIdOf(enrolled) && session.address === address

/** A session's particulars with this place. */
export const placed = <T extends object>(session: T, { deviceId, enrolled, address }: Place) => ({
  ...session,
  ...(deviceId === undefined ? {} : { deviceId }),
  ...(enrolled === undefined ? {} : { enrolledId: enrolledIdOf(enrolled)! }),
  address,
})

/** The row with another place. */
export function at(row: Row, place: Place): Row {
  const { deviceId: _device, enrolledId: _enrolled, ...session } = row.session
  return { ...row, session: placed(session, place) }
}

/** INVARIANT: limits only ever shorten. Undefined when they change nothing. */
export function limited(row: Row, limits: Limits): Row | undefined {
  const { session } = row
  const idle = Math.min(row.idle, limits.idle ?? row.idle)
  const endsAt = limits.max === undefined ? session.endsAt : Math.min(session.endsAt, session.startedAt + limits.max)
  const idleEndsAt = Math.min(session.idleEndsAt, session.lastSeenAt + idle, endsAt)
  if (idle === row.idle && endsAt === session.endsAt && idleEndsAt === session.idleEndsAt) return undefined
  return { ...row, idle, session: { ...session, endsAt, idleEndsAt } }
}

/**
 * The newest proof of each factor, whole; the later in the list wins where two have the same time. Of another provider its
 * last word holds: the time of it is that of the oldest factor given there, which a step-up does not change.
 */
export function newestProofs(known: readonly Proof[], given: readonly Proof[]): readonly Proof[] {
  const newest = new Map<string, Proof>()
  for (const proof of [...known, ...given]) {
    const other = newest.get(proof.factor)
    if (!other || proof.at >= other.at || proof.factor === 'upstream') newest.set(proof.factor, proof)
  }
  return [...newest.values()]
}
