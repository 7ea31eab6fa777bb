/**
 * How the library gets its connections, one class for each kind of place. It asks for one each time that it connects anew, and
 * takes an error for the end of it all where no connection is handed over: so these go on looking.
 *
 * Every socket has somebody who listens for errors as long as it lives. The library listens for the first of them only, and a
 * handshake of TLS that fails has two: the second would end the process.
 */
import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Millis } from '#core/clock'
import type { Server } from './redis-place.ts'
import { createSeeds } from './redis-seeds.ts'

export type Library = Pick<typeof import('ioredis'), 'Redis' | 'AbstractConnector' | 'SentinelConnector'>
type Options = import('ioredis').RedisOptions
type Say = (event: string, error: Error) => void

export const NEXT_TRY: Millis = 200
const LONGEST_TRY: Millis = 1000
export const pause = (times: number): Millis => Math.min(NEXT_TRY * times, LONGEST_TRY)

const heard = <S extends Socket>(socket: S): S => socket.on('error', () => {})

const socketTo = ({ host, port }: Server, tls: ConnectionOptions | undefined): Socket =>
  heard(tls ? connectTls({ ...tls, host, port }) : createConnection({ host, port }))

/** `find` says where, again and again until it knows. */
function connecting({ AbstractConnector }: Library, find: () => Promise<Server>, tls: ConnectionOptions | undefined) {
  return class extends AbstractConnector {
    constructor() {
      super(NEXT_TRY)
    }
    async connect(say: Say) {
      this.connecting = true
      let server: Server | undefined
      for (let times = 1; !server && this.connecting; times++) {
        server = await find().catch((error: Error) => {
          say('error', error)
          return undefined
        })
        if (!server) await delay(pause(times))
      }
      if (!server || !this.connecting) throw new Error('Connection is closed.')
      const socket = socketTo(server, tls)
      socket.once('error', (error) => {
        this.firstError = error
      })
      this.stream = socket
      return socket
    }
  }
}

export const toServer = (library: Library, server: Server, tls: ConnectionOptions | undefined) =>
  connecting(library, async () => server, tls)

/** `own`: how each node is asked. */
export function toCluster(
  library: Library,
  servers: readonly Server[],
  tls: ConnectionOptions | undefined,
  own: Options,
) {
  const seeds = createSeeds(servers, async (node, command, ...values) => {
    const options = { ...own, retryStrategy: null, Connector: toServer(library, node, tls) }
    const asking = new library.Redis(options as Options & { protocol: 2; replyMapping?: 'legacy' })
    asking.on('error', () => {})
    try {
      await asking.connect()
      return await asking.call(command, ...values)
    } finally {
      asking.disconnect()
    }
  })
  return connecting(library, seeds.primary, tls)
}

/** The library's own, with the ears. */
export function bySentinels(library: Library, tls: ConnectionOptions | undefined) {
  // what is overridden is private in its types
  const Sentinels = library.SentinelConnector as unknown as new (
    options: unknown,
  ) => {
    connect(say: Say): Promise<Socket>
    connectToSentinel(server: Server, options?: object): unknown
    disconnect(): void
    check(info: unknown): boolean
  }
  return class extends Sentinels {
    override async connect(say: Say) {
      return heard(await super.connect(say))
    }
    override connectToSentinel(server: Server, options: object = {}) {
      return super.connectToSentinel(server, { ...options, Connector: toServer(library, server, tls) })
    }
  }
}
