/** Which errors of PostgreSQL are ours (a constraint, a wrong statement) and which mean that the storage cannot serve. */
import { Refusal } from '#core/refusal'

/** Appendix A of PostgreSQL's manual, "PostgreSQL Error Codes"; a class by its two first characters. */
const UNAVAILABLE = new Map([
  ['08', 'the connection to PostgreSQL failed'],
  ['0A000', 'PostgreSQL has forgotten a statement'],
  ['25006', 'the database is read-only'],
  ['25P02', 'the transaction was ended by an error'],
  ['25P03', 'a transaction was idle for too long'],
  ['28000', 'PostgreSQL does not let this user in from here (pg_hba.conf)'],
  ['28P01', 'PostgreSQL does not take the user name or the password'],
  ['3D000', 'there is no such database'],
  ['40001', 'others write the same rows all the time'],
  ['40P01', 'others write the same rows all the time'],
  ['42501', 'the user lacks rights on the database'],
  ['53000', 'PostgreSQL is out of resources'],
  ['53100', 'the disk is full'],
  ['53200', 'PostgreSQL is out of memory'],
  ['53300', 'PostgreSQL has no connection left'],
  ['55000', 'PostgreSQL is not ready for this'],
  ['55P03', 'a write waited for its turn too long'],
  ['57014', 'a statement took too long'],
  ['57P01', 'PostgreSQL is shutting down'],
  ['57P02', 'PostgreSQL has crashed and is coming back'],
  ['57P03', 'PostgreSQL is starting or stopping'],
  ['57P05', 'the connection was idle for too long'],
  ['58', 'the disk reported an error'],
  ['XX001', 'the database is damaged'],
  ['XX002', 'the database is damaged'],
])

/** What Node says of a connection, and a code of TLS. */
const SYSTEM = /^(E[A-Z]{3,}|ERR_(TLS|SSL|STREAM|SOCKET)_\w+)$/
const CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT)/
/** What `pg` says without a code. */
const SAID: readonly (readonly [RegExp, string])[] = [
  [/timeout exceeded when trying to connect/, 'all connections to PostgreSQL are busy'],
  [/Query read timeout/, 'PostgreSQL does not answer'],
  [/[Cc]onnection terminated|timeout expired|not queryable|Client was closed/, 'the connection to PostgreSQL failed'],
  [/does not support SSL/, 'PostgreSQL does not speak TLS; see `sslmode`'],
  [/SASL|SCRAM|password authentication/, 'PostgreSQL does not take the user name or the password'],
  [/pool after calling end/, 'the storage is closed'],
]

const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/** What happened in plain words, for errors that mean "the storage cannot serve"; undefined for all others. */
export function whyUnavailable(error: unknown): string | undefined {
  const code = codeOf(error)
  const known = UNAVAILABLE.get(code) ?? UNAVAILABLE.get(code.slice(0, 2))
  if (known !== undefined) return known
  if (CERTIFICATE.test(code)) return `PostgreSQL's certificate is not believed (${code}); see \`sslrootcert\``
  if (SYSTEM.test(code)) return `PostgreSQL cannot be reached (${code})`
  const message = (error as Error | null)?.message ?? ''
  return SAID.find(([pattern]) => pattern.test(message))?.[1]
}

/** Turns an error of the storage itself into a refusal; constraint violations and bugs stay what they are. */
export function translated(error: unknown): unknown {
  if (error instanceof Refusal) return error
  const why = whyUnavailable(error)
  return why === undefined ? error : new Refusal('storage-unavailable', why, { cause: error })
}

/** Nothing of the statement has happened, whatever it was: a deadlock, a serialization failure. */
export const isCrossed = (error: unknown): boolean => ['40001', '40P01'].includes(codeOf(error))

/** A newer version has changed the table of a prepared statement; nothing of it has happened. */
export const isOutdated = (error: unknown): boolean =>
  codeOf(error) === '0A000' && /cached plan/.test((error as Error).message)

/** Nobody knows whether the statement has happened; a read may be asked again. */
export function isCut(error: unknown): boolean {
  const code = codeOf(error)
  return (
    /^(08|57P0)/.test(code) ||
    SYSTEM.test(code) ||
    /[Cc]onnection terminated|not queryable/.test((error as Error).message)
  )
}

/** The connection is of no use any more. */
export const isSpent = (error: unknown): boolean =>
  isCut(error) || isOutdated(error) || /Query read timeout/.test((error as Error).message)
