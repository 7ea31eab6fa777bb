/**
 * Redis for short-lived state: one server, whatever Sentinel says is the primary, or the node of a cluster that has our slot.
 * The library connects, and connects anew; what may be asked of such a connection is the business of `redis-link.ts`.
 */
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { RedisOptions } from 'ioredis'
import type { Millis } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { DriverOptions, StateDriver, StatePlace } from '../driver.ts'
import { isElsewhere } from './redis-errors.ts'
import { type Connection, RedisLink } from './redis-link.ts'
import { parsePlace, type RedisPlace, SCHEMES } from './redis-place.ts'
import { createSeeds } from './redis-seeds.ts'
import { createRedisState } from './redis-state.ts'

const CONNECTED_WITHIN: Millis = 3000
/** A server that has questions and says nothing for so long is taken for gone: longer than a replica is waited for. */
const SILENT_FOR: Millis = 3000
/** For one command, however much arrives meanwhile. */
const ANSWERED_WITHIN: Millis = 5000
const NEXT_TRY: Millis = 200
const LONGEST_TRY: Millis = 1000

/** Only those who keep their state in Redis pay for the library. */
const library = () => import('ioredis')
type Library = Awaited<ReturnType<typeof library>>
type Protocol = { protocol: 2; replyMapping?: 'legacy' }

function authorities(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new Refusal('storage-unavailable', `state.ca_file cannot be read (${code})`, { cause: error })
  }
}

/** Of every connection, to sentinels and nodes of a cluster too. */
function basics(tls: object | undefined): RedisOptions {
  return {
    lazyConnect: true,
    connectTimeout: CONNECTED_WITHIN,
    disconnectTimeout: NEXT_TRY,
    commandTimeout: ANSWERED_WITHIN,
    socketTimeout: SILENT_FOR,
    keepAlive: 5000,
    // INVARIANT: nothing is sent later than asked for, and nothing twice: the caller was told that it has failed
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    protocol: 2,
    disableClientInfo: true,
    ...(tls ? { tls } : {}),
  } as RedisOptions
}

/** As the library finds the primary by sentinels, so by the nodes of a cluster, each time that it connects. */
function clusterConnector({ AbstractConnector, Redis }: Library, { servers }: RedisPlace, own: RedisOptions) {
  const seeds = createSeeds(servers, async (node, command, ...values) => {
    const asking = new Redis({ ...own, ...node, retryStrategy: null } as RedisOptions & Protocol)
    asking.on('error', () => {})
    try {
      await asking.connect()
      return await asking.call(command, ...values)
    } finally {
      asking.disconnect()
    }
  })
  return class extends AbstractConnector {
    constructor() {
      super(NEXT_TRY)
    }
    async connect(say: (event: string, error: Error) => void) {
      this.connecting = true
      const find = () =>
        seeds.primary().catch((error: Error) => {
          say('error', error)
          return undefined
        })
      let primary = await find()
      for (let times = 1; !primary && this.connecting; times++) {
        await delay(Math.min(NEXT_TRY * times, LONGEST_TRY))
        primary = await find()
      }
      if (!primary || !this.connecting) throw new Error('the connection was closed')
      const stream = own.tls ? connectTls({ ...own.tls, ...primary }) : createConnection(primary)
      stream.once('error', (error) => {
        this.firstError = error
      })
      this.stream = stream
      return stream
    }
  }
}

function connector(library: Library, place: RedisPlace, given: StatePlace): () => Connection {
  const ca = authorities(given.caFile)
  const tls = place.tls ? { ...(ca === undefined ? {} : { ca }) } : undefined
  const password = given.password ?? place.password
  const own: RedisOptions = {
    ...basics(tls),
    retryStrategy: (times) => Math.min(NEXT_TRY * times, LONGEST_TRY),
    reconnectOnError: isElsewhere,
    db: place.database,
    ...(place.username === undefined ? {} : { username: place.username }),
    ...(password === undefined ? {} : { password }),
  }
  const bySentinels: RedisOptions = {
    sentinels: [...place.servers],
    name: place.name!,
    role: 'master',
    // told of a failover before the earlier primary is gone, or knows itself that it is none any more
    failoverDetector: true,
    sentinelCommandTimeout: CONNECTED_WITHIN,
    // null would be the end of it: also while the sentinels still name the one that is gone
    sentinelRetryStrategy: (times) => Math.min(NEXT_TRY * times, LONGEST_TRY),
    enableTLSForSentinelMode: place.tls,
    ...(tls ? { sentinelTLS: tls } : {}),
    ...(given.sentinelUsername === undefined ? {} : { sentinelUsername: given.sentinelUsername }),
    ...(given.sentinelPassword === undefined ? {} : { sentinelPassword: given.sentinelPassword }),
  }
  const [server] = place.servers
  const how = {
    single: () => ({ ...server! }),
    sentinel: () => bySentinels,
    cluster: () => ({ Connector: clusterConnector(library, place, own) }),
  }[place.kind]()
  return () => new library.Redis({ ...own, ...how } as RedisOptions & Protocol) as Connection
}

export const redisDriver: StateDriver = Object.freeze({
  schemes: SCHEMES,

  async open(given: StatePlace, { clock, log }: DriverOptions) {
    const place = parsePlace(given.url)
    const connect = connector(await library(), place, given)
    const replicas = given.replicas ?? (place.kind === 'single' ? 0 : 1)
    const link = new RedisLink({ kind: place.kind, replicas, log, connect })
    await link.open()
    return { state: createRedisState({ link, clock }), close: () => link.close() }
  },
})
