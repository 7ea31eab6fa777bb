/** What `state.url` says: which servers, how they are found, and who we are to them. */
import { Refusal } from '#core/refusal'

export const SCHEMES = Object.freeze(['redis', 'rediss', 'redis+sentinel', 'redis+cluster'])

export interface Server {
  readonly host: string
  readonly port: number
}

export interface RedisPlace {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** Of a cluster some of its nodes, of Sentinel some of the sentinels; otherwise the one. */
  readonly servers: readonly Server[]
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
  readonly database: number
  /** What the sentinels call the group of servers. */
  readonly name?: string
}

const SHAPE =
  /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const SERVER = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/

/** Without the url, which may carry a password. */
const wrong = (why: string): Refusal => new Refusal('storage-unavailable', `state.url ${why}`)

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('has a `%` that stands for nothing in its user name or password')
  }
}

function serverOf(text: string, port: number): Server {
  const [, host, given] = SERVER.exec(text) ?? []
  if (host === undefined || Number(given ?? port) > 65535) throw wrong('names a server that is no `host:port`')
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(given ?? port) }
}

/** Throws `Refusal('storage-unavailable')` with a sentence for the operator. */
export function parsePlace(url: string): RedisPlace {
  const [, scheme, user, hosts, path = '', query = ''] = SHAPE.exec(url) ?? []
  if (scheme === undefined || hosts === undefined) throw wrong('is no address of a Redis')
  const kind = scheme === 'redis+sentinel' ? 'sentinel' : scheme === 'redis+cluster' ? 'cluster' : 'single'
  const servers = hosts.split(',').map((one) => serverOf(one, kind === 'sentinel' ? 26_379 : 6379))
  if (kind === 'single' && servers.length > 1) throw wrong('names several servers; use redis+sentinel or redis+cluster')

  const options = new URLSearchParams(query)
  for (const [key, value] of options)
    if (key !== 'tls' || kind === 'single' || !['true', 'false'].includes(value))
      throw wrong('ends in an option that is not known; known: `tls=true`, of sentinels and clusters')

  const parts = path === '' ? [] : path.replace(/\/$/, '').split('/')
  const name = kind === 'sentinel' ? parts.shift() : undefined
  if (kind === 'sentinel' && !name) throw wrong('does not say what the sentinels call their primary: …/NAME')
  const number = parts.shift() ?? '0'
  if (parts.length > 0 || !/^\d{1,5}$/.test(number)) throw wrong('ends in a path that is no number of a database')
  if (kind === 'cluster' && number !== '0') throw wrong('names a database, of which a cluster has only one')

  const colon = user?.indexOf(':') ?? -1
  const username = user === undefined ? '' : decoded(colon < 0 ? user : user.slice(0, colon))
  const password = user === undefined || colon < 0 ? '' : decoded(user.slice(colon + 1))
  return {
    kind,
    servers,
    tls: scheme === 'rediss' || options.get('tls') === 'true',
    database: Number(number),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(name ? { name: decoded(name) } : {}),
  }
}
