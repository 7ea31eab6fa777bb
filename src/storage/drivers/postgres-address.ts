/** `postgres://user:password@host:port/database?sslmode=…`, read the way PostgreSQL's own programs read it. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Refusal } from '#core/refusal'

export interface Address {
  /** A name, an address, or the folder of a socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly ssl: ConnectionOptions | false
  /** How many connections this process opens at most. */
  readonly connections: number
  /** What may be printed. */
  readonly shown: string
}

const MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
type Mode = (typeof MODES)[number]

const KNOWN = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host', 'connections']
const PORT = 5432
const CONNECTIONS = 10
const MOST_CONNECTIONS = 500

const refuse = (why: string, cause?: unknown): Refusal =>
  new Refusal('storage-unavailable', `storage.url: ${why}`, { cause })

/** @param place what stands behind `postgres:`. Throws `Refusal('storage-unavailable')` with a sentence without the password. */
export function readAddress(place: string): Address {
  const url = URL.parse(`postgres:${place}`)
  if (!place.startsWith('//') || !url) throw refuse('expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`')
  const { searchParams: parameters } = url
  const unknown = [...parameters.keys()].find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw refuse(`\`${unknown}\` is no known parameter; known: ${KNOWN.join(', ')}`)
  const host = parameters.get('host') ?? decoded(url.hostname).replace(/^\[(.*)\]$/, '$1')
  const database = decoded(url.pathname.slice(1))
  const user = decoded(url.username)
  if (host === '' || database === '' || user === '')
    throw refuse('a user, a host (or `?host=/folder/of/the/socket`) and a database are needed')
  const port = url.port === '' ? PORT : Number(url.port)
  const connections = Number(parameters.get('connections') ?? CONNECTIONS)
  if (!Number.isInteger(connections) || connections < 2 || connections > MOST_CONNECTIONS)
    throw refuse(`\`connections\` is a whole number from 2 to ${MOST_CONNECTIONS}`)
  return {
    host,
    port,
    user,
    password: decoded(url.password),
    database,
    ssl: sslOf(host, parameters),
    connections,
    shown: `\`${database}\` at \`${host.startsWith('/') ? host : `${host}:${port}`}\``,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // the text may be the password
    throw refuse('a `%` must be written as `%25`')
  }
}

const isHere = (host: string): boolean => host.startsWith('/') || host === 'localhost' || /^127\.|^::1$/.test(host)

/**
 * `verify-full` unless the database is on this machine: PostgreSQL's own default (`prefer`) sends the password to whoever
 * answers. `require` encrypts and believes any certificate, as it does there.
 */
function sslOf(host: string, parameters: URLSearchParams): ConnectionOptions | false {
  const mode = (parameters.get('sslmode') ?? (isHere(host) ? 'disable' : 'verify-full')) as Mode
  if (!MODES.includes(mode)) throw refuse(`\`sslmode\` is one of ${MODES.join(', ')}`)
  const [ca, cert, key] = ['sslrootcert', 'sslcert', 'sslkey'].map((name) => fileOf(name, parameters.get(name)))
  if (mode === 'disable') {
    if (ca ?? cert ?? key) throw refuse('certificates are given, and `sslmode` is `disable`')
    return false
  }
  return {
    rejectUnauthorized: mode !== 'require',
    // the certificate is checked either way; `verify-ca` believes it for any host
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    ...(isIP(host) === 0 && !host.startsWith('/') ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

function fileOf(name: string, path: string | null): string | undefined {
  if (path === null) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw refuse(`\`${name}\`: \`${path}\` cannot be read (${(error as NodeJS.ErrnoException).code})`, error)
  }
}
