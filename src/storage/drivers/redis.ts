/**
 * Redis for short-lived state: one server, whatever Sentinel says is the primary, or the node of a cluster that has our slot.
 * The library connects, and connects anew; what may be asked of such a connection is the business of `redis-link.ts`.
 */
import { readFileSync } from 'node:fs'
import type { RedisOptions } from 'ioredis'
import type { Millis } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { DriverOptions, StateDriver, StatePlace } from '../driver.ts'
import { bySentinels, type Library, NEXT_TRY, pause, toCluster, toServer } from './redis-connectors.ts'
import { isElsewhere } from './redis-errors.ts'
import { type Connection, RedisLink } from './redis-link.ts'
import { parsePlace, type RedisPlace } from './redis-place.ts'
import { createRedisState } from './redis-state.ts'

const CONNECTED_WITHIN: Millis = 3000
/** A server that has questions and says nothing for so long is taken for gone: longer than a replica is waited for. */
const SILENT_FOR: Millis = 3000
/** For one command, however much arrives meanwhile. */
const ANSWERED_WITHIN: Millis = 5000

/** Only those who keep their state in Redis pay for the library. */
const library = (): Promise<Library> => import('ioredis')
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

function connector(library: Library, place: RedisPlace, given: StatePlace): () => Connection {
  const ca = authorities(given.caFile)
  const tls = place.tls ? { ...(ca === undefined ? {} : { ca }) } : undefined
  const password = given.password ?? place.password
  const own: RedisOptions = {
    ...basics(tls),
    retryStrategy: pause,
    reconnectOnError: isElsewhere,
    db: place.database,
    ...(place.username === undefined ? {} : { username: place.username }),
    ...(password === undefined ? {} : { password }),
  }
  const watched: RedisOptions = {
    Connector: bySentinels(library, tls) as unknown as NonNullable<RedisOptions['Connector']>,
    sentinels: [...place.servers],
    name: place.name!,
    role: 'master',
    // told of a failover before the earlier primary is gone, or knows itself that it is none any more
    failoverDetector: true,
    sentinelCommandTimeout: CONNECTED_WITHIN,
    // null would be the end of it: also while the sentinels still name the one that is gone
    sentinelRetryStrategy: pause,
    enableTLSForSentinelMode: place.tls,
    ...(tls ? { sentinelTLS: tls } : {}),
    ...(given.sentinelUsername === undefined ? {} : { sentinelUsername: given.sentinelUsername }),
    ...(given.sentinelPassword === undefined ? {} : { sentinelPassword: given.sentinelPassword }),
  }
  const [server] = place.servers
  const how = {
    single: () => ({ Connector: toServer(library, server!, tls) }),
    sentinel: () => watched,
    cluster: () => ({ Connector: toCluster(library, place.servers, tls, own) }),
  }[place.kind]()
  return () => new library.Redis({ ...own, ...how } as RedisOptions & Protocol) as Connection
}

/** Loaded where one is named (`list.ts`). */
export const redisDriver: Omit<StateDriver, 'schemes'> = Object.freeze({
  async open(given: StatePlace, { clock, log }: DriverOptions) {
    const place = parsePlace(given.url)
    const connect = connector(await library(), place, given)
    const replicas = given.replicas ?? (place.kind === 'single' ? 0 : 1)
    const link = new RedisLink({ kind: place.kind, replicas, log, connect })
    await link.open()
    return {
      state: createRedisState({ link, clock }),
      async now() {
        const [seconds, micros] = await link.read<[string, string]>('TIME')
        return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
      },
      close: () => link.close(),
    }
  },
})
